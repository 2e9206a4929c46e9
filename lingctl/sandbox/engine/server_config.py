"""Reads config.json as the server does: sections and types first, structure next, values last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.fields import (
    BACKEND,
    DEPLOY,
    JSON_TYPES,
    LIMITS,
    MODEL,
    SCHEDULE,
    SERVER,
    UNGUARDED,
    Field,
)
from lingctl.sandbox.engine.file_rules import private_file_fault

Section = Mapping[str, Any]


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
    backend = _section(document, "BackendConfig", BACKEND, version, console)
    schedule, deploy = backend["ScheduleConfig"], backend["ModelDeployConfig"]
    models = deploy.get("ModelConfig")
    model = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    _structure(RawConfig(server, backend, deploy, model, schedule), version, console)
    _typed(schedule, "ScheduleConfig", SCHEDULE, version, console)
    _typed(deploy, "ModelDeployConfig", DEPLOY, version, console)
    if schedule["templateType"] == "Standard" and len(models) != 1:
        _say_model_rule(version, console, "There should be one modelParam for Standard templateType.")
        raise _failed("ModelDeployConfig", version, console)
    _typed(model, "ModelDeployConfig", MODEL, version, console)
    return RawConfig(server, backend, deploy, model, schedule)


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
            console.out(f"{name}: [json.exception.out_of_range.403] key '{key}' not found")
            raise _failed(name, version, console)
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
        got = _json_type(value)
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


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = ((int, "number"), (float, "number"), (str, "string"), (list, "array"))
    return next((word for kind, word in names if isinstance(value, kind)), "object")


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


def _say_model_rule(version: str, console: Console, text: str) -> None:
    if version == "1.0.0":
        console.out(text)
    else:
        console.model("ERROR", text)


def _failed(section: str, version: str, console: Console) -> Refused:
    if version != "1.0.0":
        console.out(f"ConfigManager init exception: Failed to initialize {section} from JSON.")
    return Refused(section)
