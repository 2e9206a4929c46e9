"""Reads config.json as the server does: sections and types first, structure next, values last."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.fields import (
    BACKEND,
    DEPLOY,
    EARLY_RANGES,
    JSON_TYPES,
    LIMITS,
    MODEL,
    SCHEDULE,
    SERVER,
    UNGUARDED,
    Field,
    json_type,
)
from lingctl.sandbox.engine.file_rules import private_file_fault

Section = Mapping[str, Any]
_INSTANCE_TYPES = ("AssistantModel", "Standard", "StandardMock", "TargetModel")
# Read without a look at their types, into a number that may not be a bool; with the code's own defaults.
PARTIAL_PREFILLS = {
    "maxNumPartialPrefills": 64,
    "maxLongPartialPrefills": 8,
    "longPrefillTokenThreshold": 1024,
}


class Refused(Exception):
    """The configuration is refused; what was to be said has been said."""


@dataclass(frozen=True, slots=True)
class RawConfig:
    """The sections of a config.json whose types are right."""

    server: Section
    backend: Section
    deploy: Section
    model: Section
    schedule: Section

    @property
    def multi_node(self) -> bool:
        """Whether a rank table is wanted."""
        return bool(self.backend.get("multiNodesInferEnabled", False))


def read_config(path: Path, version: str, console: Console) -> RawConfig:
    """Read and check everything but values.

    Raises:
        Refused: the file, a section, a type or the structure is wrong.
    """
    document = _document(path, version, console)
    server = _section(document, "ServerConfig", SERVER, version, console)
    _server_ranges(server, version, console)
    backend = _section(document, "BackendConfig", BACKEND, version, console)
    schedule, deploy = backend["ScheduleConfig"], backend["ModelDeployConfig"]
    models = deploy.get("ModelConfig")
    model = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    _structure(RawConfig(server, backend, deploy, model, schedule), version, console)
    _typed(schedule, "ScheduleConfig", SCHEDULE, version, console)
    for name in PARTIAL_PREFILLS:
        _number(schedule.get(name, 0), version, console, boolean=False)
    _typed(deploy, "ModelDeployConfig", DEPLOY, version, console)
    for one in models:
        _typed(one if isinstance(one, dict) else {}, "ModelDeployConfig", MODEL, version, console)
    _model(schedule, models, version, console)
    return RawConfig(server, backend, deploy, model, schedule)


def between(name: str, value: Any, low: int, high: int) -> str:
    """The range check's sentence, empty where the value is within."""
    if value > high:
        return f"{name} [{value}] is out of bound [{high}]"
    return f"{name} [{value}] is less than [{low}]" if value < low else ""


def _server_ranges(server: Section, version: str, console: Console) -> None:
    """Ranges that are looked at while ServerConfig is read: failing here ends before the other sections."""
    found = [
        between(f"serverConfig.{name}", server[name], low, high)
        for name, (low, high) in EARLY_RANGES.items()
        if name in server
    ]
    health = server.get("HealthCheckConfig")
    if isinstance(health, dict) and "npuUsageThreshold" in health:
        value = _number(health["npuUsageThreshold"], version, console) % 2**32
        found.append(between("serverConfig.HealthCheckConfig.npuUsageThreshold", value, 0, 100))
    if "interCommPort" in server:
        port = (_number(server["interCommPort"], version, console) + 2**31) % 2**32 - 2**31
        found.append(between("serverConfig.interCommPort", port, 1024, 65535))
    for line in filter(None, found):
        console.out(line)
    if any(found):
        raise _failed("ServerConfig", version, console)


def _number(value: object, version: str, console: Console, *, boolean: bool = True) -> int:
    """A number as the JSON library makes it where the code does not look at the type.

    Raises:
        Refused: it makes none.
    """
    if isinstance(value, int | float) and (boolean or not isinstance(value, bool)):
        return int(value)
    raise _json_error(f"type must be number, but is {json_type(value)}", version, console)


def _json_error(text: str, version: str, console: Console) -> Refused:
    if version != "1.0.0":
        console.out(f"JSON error in ConfigManager: [json.exception.type_error.302] {text}")
    return Refused(text)


def _model(schedule: Section, models: Sequence[Section], version: str, console: Console) -> None:
    """What is looked at while the models' entries are read."""
    wrong = schedule["templateType"] == "Standard" and len(models) != 1
    if wrong:
        _say_model_rule(version, console, "There should be one modelParam for Standard templateType.")
    for model in models:
        if version != "1.0.0":
            for name in ("dp", "sp", "cp"):
                _parallel(name, model.get(name, 1), console)
        kind = model.get("modelInstanceType", "Standard")
        if isinstance(kind, str) and kind not in _INSTANCE_TYPES:
            known = ",".join(_INSTANCE_TYPES)
            console.out(f"Model instance type is invalid. supported values: [{known}]")
            wrong = True
    if wrong:
        raise _failed("ModelDeployConfig", version, console)


def _parallel(name: str, value: object, console: Console) -> None:
    """A parallel size, as text or number; anything else is not looked at."""
    if isinstance(value, str):
        leading = re.match(r"\s*[+-]?\d+", value)
        if not leading or not -(2**31) <= int(leading[0]) < 2**31:
            words = f"Value for {name} out of range, got {value}" if leading else ""
            line = 104 if words else 101
            text = words or f"Invalid value for {name}, which is {value}"
            console.model("ERROR", text, f"model_deploy_config.cpp:{line}")
            console.out("ConfigManager Init exception: stoi")
            raise Refused(name)
        value = int(leading[0])
    if isinstance(value, int | float) and (int(value) + 2**31) % 2**32 - 2**31 <= 0:
        console.model("ERROR", f"{name} cannot be smaller than 1.", "model_deploy_config.cpp:113")
        console.out(f"ConfigManager init exception: {name} cannot be smaller than 1.")
        raise Refused(name)


def _document(path: Path, version: str, console: Console) -> Section:
    fault = private_file_fault(path, version)
    if fault:
        console.out(fault)
        raise _failed("ServerConfig", version, console)
    try:
        document = json.loads(path.read_text("utf-8-sig"), parse_constant=_no_constant)
    except ValueError:
        console.out("Json file is invalid. Please check json format! ")
        raise _failed("ServerConfig", version, console) from None
    document = document if isinstance(document, dict) else {}
    if version != "1.0.0" and "EnableDynamicAdjustTimeoutConfig" not in document:
        default = "is not found, using default value false. If you need to customize this configuration item"
        console.out(
            f"The configName EnableDynamicAdjustTimeoutConfig {default}, please add it to the config file."
        )
    return document


def _no_constant(name: str) -> object:
    """NaN and Infinity, which Python reads and the server's JSON parser does not."""
    raise ValueError(name)


def _section(
    document: Section, name: str, fields: Sequence[Field], version: str, console: Console
) -> Section:
    if name not in document:
        console.out(f"{name}: [json.exception.out_of_range.403] key '{name}' not found")
        raise _failed(name, version, console)
    section: Section = document[name]
    _typed(section, name, fields, version, console)
    for key in UNGUARDED.get(name, ()) if version != "1.0.0" else ():
        if key not in section:
            raise _json_error("type must be boolean, but is null", version, console)
    return section


def _typed(section: Section, name: str, fields: Sequence[Field], version: str, console: Console) -> None:
    for field in fields:
        if field.name not in section:
            if version in field.required:
                console.out(f"[ParamChecker::CheckJsonParamType] {field.name}: missing compulsory field")
                raise _failed(name, version, console)
            continue
        if not _type_fits(field, section[field.name], console):
            raise _failed(name, version, console)


def _type_fits(field: Field, value: object, console: Console) -> bool:
    number = field.kind in LIMITS
    fits = isinstance(value, JSON_TYPES[field.kind]) and not (number and isinstance(value, bool))
    if not fits:
        got = json_type(value)
        words = "but is" if field.kind == "array" else "but got"
        console.out(f"The type of param {field.name} should be {field.kind}, {words} {got}")
        return False
    if number:
        assert isinstance(value, int)
        low, high = LIMITS[field.kind]
        if not low <= value <= high:
            if value < 0 and low == 0:
                console.err(f"Negative value is invalid for {field.kind}.")
            console.out(f"The value of param {field.name} for {field.kind} is invalid.")
            return False
    return True


def _structure(raw: RawConfig, version: str, console: Console) -> None:
    ids = raw.backend["npuDeviceIds"]
    for subset in ids:
        fits = isinstance(subset, list) and all(
            isinstance(i, int) and not isinstance(i, bool) for i in subset
        )
        if not fits:
            console.out("Type of element in json array does not match integer")
            raise _failed("BackendConfig", version, console)
        if any(i < 0 for i in subset):
            console.err("Negative value is invalid for size_t.")
            console.out("The value of element in json array for size_t is invalid.")
            raise _failed("BackendConfig", version, console)
    if len(ids) != raw.backend["modelInstanceNumber"]:
        console.out("The size of npuDeviceIds does not equal to modelInstanceNumber")
        raise _failed("BackendConfig", version, console)
    # Published 1.0.0 configs for two nodes count all ranks here; 1.0.0's documents say it is ignored then.
    if version == "1.0.0" and raw.multi_node:
        return
    if any(len(subset) != raw.model.get("worldSize") for subset in ids):
        console.out("The size of npuDeviceIds (subset) does not equal to worldSize")
        raise _failed("BackendConfig", version, console)
    if version != "1.0.0":
        _kv_pool(raw.backend.get("kvPoolConfig", {}), version, console)
        _inter_node_names(raw.backend, version, console)


def _kv_pool(pool: Section, version: str, console: Console) -> None:
    for name in ("backend", "configPath"):
        if not isinstance(pool.get(name, ""), str):
            raise _json_error(f"type must be string, but is {json_type(pool[name])}", version, console)
    if not isinstance(pool.get("asyncWrite", False), bool):
        raise _json_error(f"type must be boolean, but is {json_type(pool['asyncWrite'])}", version, console)


def _inter_node_names(backend: Section, version: str, console: Console) -> None:
    """Names of the certificates between nodes: read whenever the switch is on, also on one node."""
    if not backend["interNodeTLSEnabled"]:
        return
    names = ("interNodeTlsCert", "interNodeTlsPk", "interNodeTlsCaPath", "interNodeTlsCrlPath")
    if any(name not in backend for name in names):
        error = "[json.exception.type_error.302] type must be string, but is null"
        console.out(f"Failed to init tls cfg. [BackendConfigManager::InitFromJson] {error}")
        raise _failed("BackendConfig", version, console)
    for name, fewest in (("interNodeTlsCaFiles", 1), ("interNodeTlsCrlFiles", 0)):
        files = backend.get(name, [])
        if not all(isinstance(file, str) for file in files):
            console.out("Type of element in json array does not match string")
            console.out(f"{name} init error")
        elif not fewest <= len(files) <= 3:
            console.out(f"{name} size is invalid")
        else:
            continue
        console.out("Failed to init tls cfg")
        raise _failed("BackendConfig", version, console)


def _say_model_rule(version: str, console: Console, text: str) -> None:
    if version == "1.0.0":
        console.out(text)
    else:
        console.model("ERROR", text, "model_deploy_config.cpp:50")


def _failed(section: str, version: str, console: Console) -> Refused:
    if version != "1.0.0":
        console.out(f"ConfigManager init exception: Failed to initialize {section} from JSON.")
    return Refused(section)
