"""Reads config.json as the server does: sections and types first, structure next, values last."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.json_library import JsonError, flag, number, text
from lingctl.sandbox.engine.settings import nested_rules
from lingctl.sandbox.engine.settings.fields import (
    BACKEND,
    DEPLOY,
    EARLY_RANGES,
    MODEL,
    SCHEDULE,
    SERVER,
)
from lingctl.sandbox.engine.settings.sections import (
    Fault,
    Refused,
    Section,
    check_types,
    read_document,
    read_section,
)

_INSTANCE_TYPES = ("AssistantModel", "Standard", "StandardMock", "TargetModel")
# Read without a look at their types, into a number that may not be a bool; with the code's own defaults.
PARTIAL_PREFILLS = {
    "maxNumPartialPrefills": 64,
    "maxLongPartialPrefills": 8,
    "longPrefillTokenThreshold": 1024,
}


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
    try:
        return _read_config(path, version, console)
    except Fault as fault:
        raise refused(fault, version, console) from fault
    except JsonError as error:
        if version != "1.0.0":
            console.out(f"JSON error in ConfigManager: {error}")
        raise Refused(str(error)) from error


def refused(fault: Fault, version: str, console: Console) -> Refused:
    """Say what is wrong; the caller raises what is given."""
    if fault.error:
        console.err(fault.error)
    for line in fault.lines:
        console.out(line)
    if version != "1.0.0":
        console.out(fault.end)
    return Refused(fault.section)


def _read_config(path: Path, version: str, console: Console) -> RawConfig:
    new = version != "1.0.0"
    document = read_document(path, version)
    if new and "EnableDynamicAdjustTimeoutConfig" not in document:
        default = "is not found, using default value false. If you need to customize this configuration item"
        console.out(
            f"The configName EnableDynamicAdjustTimeoutConfig {default}, please add it to the config file."
        )
    server = read_section(document, "ServerConfig", SERVER, version)
    _refuse(_server_ranges(server), "ServerConfig")
    if new:
        _refuse(nested_rules.server_names(server))
    backend = read_section(document, "BackendConfig", BACKEND, version)
    schedule, deploy = backend["ScheduleConfig"], backend["ModelDeployConfig"]
    models = deploy.get("ModelConfig")
    model = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    raw = RawConfig(server, backend, deploy, model, schedule)
    _structure(raw, version)
    if new:
        _refuse(nested_rules.split_of_backend(backend))
    check_types(schedule, "ScheduleConfig", SCHEDULE, version)
    _refuse(nested_rules.split_of_schedule(schedule), "ScheduleConfig")
    check_types(deploy, "ModelDeployConfig", DEPLOY, version)
    for one in models:
        check_types(one if isinstance(one, dict) else {}, "ModelDeployConfig", MODEL, version)
    _model(schedule, models, version, console)
    if new:
        _refuse(nested_rules.lora_modules(deploy, models))
        _need_rank_table(backend, schedule, console)
    if new and server.get("layerwiseDisaggregated"):
        _refuse(nested_rules.excluded_by_split(server, backend, schedule, models[0]))
    return raw


def _refuse(lines: Iterable[str], section: str = "") -> None:
    said = list(filter(None, lines))
    if said:
        raise Fault(section, *said)


def _need_rank_table(backend: Section, schedule: Section, console: Console) -> None:
    """distributedEnable wants a rank table on one node too."""
    several = backend["multiNodesInferEnabled"]
    if several or not schedule.get("distributedEnable") or os.environ.get("RANK_TABLE_FILE"):
        return
    text = "please set a valid ranktable file path with RANK_TABLE_FILE environment."
    console.out(f"Ranktable file is not exist, {text}")
    console.out("Start to parse ranktable file")
    console.out("Ranktable file path is invalid.")
    console.out("ConfigManager init exception: init rank table config error.")
    raise Refused("rank table")


def between(name: str, value: Any, low: int, high: int) -> str:
    """The range check's sentence, empty where the value is within."""
    if value > high:
        return f"{name} [{value}] is out of bound [{high}]"
    return f"{name} [{value}] is less than [{low}]" if value < low else ""


def _server_ranges(server: Section) -> Iterator[str]:
    """Ranges that are looked at while ServerConfig is read: failing here ends before the other sections."""
    for name, (low, high) in EARLY_RANGES.items():
        if name in server:
            yield between(f"serverConfig.{name}", server[name], low, high)
    health = server.get("HealthCheckConfig")
    if isinstance(health, dict) and "npuUsageThreshold" in health:
        value = number(health["npuUsageThreshold"]) % 2**32
        yield between("serverConfig.HealthCheckConfig.npuUsageThreshold", value, 0, 100)
    if "interCommPort" in server:
        port = (number(server["interCommPort"]) + 2**31) % 2**32 - 2**31
        yield between("serverConfig.interCommPort", port, 1024, 65535)


def _model(schedule: Section, models: Sequence[Section], version: str, console: Console) -> None:
    """What is looked at while the models' entries are read."""
    wrong = schedule["templateType"] == "Standard" and len(models) != 1
    if wrong:
        _say_model_rule(version, console, "There should be one modelParam for Standard templateType.")
    for model in models:
        if version != "1.0.0":
            for name in ("dp", "sp", "cp"):
                _parallel(name, model.get(name, 1), console)
            nested_rules.plug_in(model)
        kind = model.get("modelInstanceType", "Standard")
        if isinstance(kind, str) and kind not in _INSTANCE_TYPES:
            known = ",".join(_INSTANCE_TYPES)
            console.out(f"Model instance type is invalid. supported values: [{known}]")
            wrong = True
    if wrong:
        raise Fault("ModelDeployConfig")


def _parallel(name: str, value: object, console: Console) -> None:
    """A parallel size, as text or number; anything else is not looked at."""
    if isinstance(value, str):
        leading = re.match(r"[ \t\n\v\f\r]*([+-]?[0-9]+)", value)
        if not leading or len(leading[1]) > 20 or not -(2**31) <= int(leading[1]) < 2**31:
            words = f"Value for {name} out of range, got {value}" if leading else ""
            line = 104 if words else 101
            text = words or f"Invalid value for {name}, which is {value}"
            console.model("ERROR", text, f"model_deploy_config.cpp:{line}")
            console.out("ConfigManager Init exception: stoi")
            raise Refused(name)
        value = int(leading[1])
    if isinstance(value, int | float) and (int(value) + 2**31) % 2**32 - 2**31 <= 0:
        console.model("ERROR", f"{name} cannot be smaller than 1.", "model_deploy_config.cpp:113")
        console.out(f"ConfigManager init exception: {name} cannot be smaller than 1.")
        raise Refused(name)


def _structure(raw: RawConfig, version: str) -> None:
    ids = raw.backend["npuDeviceIds"]
    for subset in ids:
        fits = isinstance(subset, list) and all(
            isinstance(i, int) and not isinstance(i, bool) for i in subset
        )
        if not fits:
            raise Fault("BackendConfig", "Type of element in json array does not match integer")
        if any(i < 0 for i in subset):
            text = "The value of element in json array for size_t is invalid."
            raise Fault("BackendConfig", text, error="Negative value is invalid for size_t.")
    if len(ids) != raw.backend["modelInstanceNumber"]:
        raise Fault("BackendConfig", "The size of npuDeviceIds does not equal to modelInstanceNumber")
    # Published 1.0.0 configs for two nodes count all ranks here; 1.0.0's documents say it is ignored then.
    if version == "1.0.0" and raw.multi_node:
        return
    if any(len(subset) != raw.model.get("worldSize") for subset in ids):
        raise Fault("BackendConfig", "The size of npuDeviceIds (subset) does not equal to worldSize")
    if version != "1.0.0":
        _kv_pool(raw.backend.get("kvPoolConfig", {}))
        _inter_node_names(raw.backend)


def _kv_pool(pool: Section) -> None:
    for name in ("backend", "configPath"):
        text(pool.get(name, ""))
    flag(pool.get("asyncWrite", False))


def _inter_node_names(backend: Section) -> None:
    """Names of the certificates between nodes: read whenever the switch is on, also on one node."""
    if not backend["interNodeTLSEnabled"]:
        return
    names = ("interNodeTlsCert", "interNodeTlsPk", "interNodeTlsCaPath", "interNodeTlsCrlPath")
    end = "Failed to init tls cfg"
    if any(name not in backend for name in names):
        error = "[json.exception.type_error.302] type must be string, but is null"
        raise Fault("BackendConfig", f"{end}. [BackendConfigManager::InitFromJson] {error}")
    for name, fewest in (("interNodeTlsCaFiles", 1), ("interNodeTlsCrlFiles", 0)):
        files = backend.get(name, [])
        if not all(isinstance(file, str) for file in files):
            text = "Type of element in json array does not match string"
            raise Fault("BackendConfig", text, f"{name} init error", end)
        if not fewest <= len(files) <= 3:
            raise Fault("BackendConfig", f"{name} size is invalid", end)


def _say_model_rule(version: str, console: Console, text: str) -> None:
    if version == "1.0.0":
        console.out(text)
    else:
        console.model("ERROR", text, "model_deploy_config.cpp:50")
