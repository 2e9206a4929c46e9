"""Sections of config.json: whether they are there, and whether their fields have the right types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.json_library import JsonError, flag, read, type_name
from lingctl.sandbox.engine.settings.fields import (
    JSON_TYPES,
    LIMITS,
    UNGUARDED,
    Field,
)
from lingctl.sandbox.engine.settings.file_rules import private_file_fault

Section = Mapping[str, Any]


class Refused(Exception):
    """The configuration is refused; what was to be said has been said."""


def _say(line: str, times: int, console: Console) -> None:
    for _ in range(times):
        console.out(line)


def read_document(path: Path, version: str, console: Console) -> Section:
    """The whole of config.json.

    Raises:
        Refused: nobody else may read or write it, or it is no JSON.
    """
    # 3.0.0 says it once for the whole file and again for the first section (seen).
    times = 1 if version == "1.0.0" else 2
    fault = private_file_fault(path, version)
    if fault:
        _say(fault, times, console)
        raise failed("ServerConfig", version, console)
    try:
        # What follows the document 3.0.0 does not look at; that 1.0.0 does is inference.
        document = read(path.read_bytes().decode(), whole=version == "1.0.0")
    except (ValueError, JsonError):
        _say("Json file is invalid. Please check json format! ", times, console)
        raise failed("ServerConfig", version, console) from None
    if not isinstance(document, dict):
        console.out(
            f"ServerConfig: [json.exception.type_error.304] cannot use at() with {type_name(document)}"
        )
        raise failed("ServerConfig", version, console)
    if version != "1.0.0" and "EnableDynamicAdjustTimeoutConfig" not in document:
        default = "is not found, using default value false. If you need to customize this configuration item"
        console.out(
            f"The configName EnableDynamicAdjustTimeoutConfig {default}, please add it to the config file."
        )
    return document


def read_section(
    document: Section, name: str, fields: Sequence[Field], version: str, console: Console
) -> Section:
    """A section of the document; refuses one that is absent, or whose fields are."""
    if name not in document:
        console.out(f"{name}: [json.exception.out_of_range.403] key '{name}' not found")
        raise failed(name, version, console)
    found = document[name]
    # Of what is no object nothing is found.
    section: Section = found if isinstance(found, dict) else {}
    check_types(section, name, fields, version, console)
    for key in UNGUARDED.get(name, ()) if version != "1.0.0" else ():
        flag(section.get(key))
    return section


def check_types(section: Section, name: str, fields: Sequence[Field], version: str, console: Console) -> None:
    """Refuse a section that lacks a compulsory field, or has one of another type."""
    for field in fields:
        if field.name not in section:
            if version in field.required:
                console.out(f"[ParamChecker::CheckJsonParamType] {field.name}: missing compulsory field")
                raise failed(name, version, console)
            continue
        if not _type_fits(field, section[field.name], console):
            raise failed(name, version, console)


def _type_fits(field: Field, value: object, console: Console) -> bool:
    number = field.kind in LIMITS
    fits = isinstance(value, JSON_TYPES[field.kind]) and not (number and isinstance(value, bool))
    if not fits:
        got = type_name(value)
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


def failed(section: str, version: str, console: Console) -> Refused:
    """Say which section is refused; the caller raises it."""
    if version != "1.0.0":
        console.out(f"ConfigManager init exception: Failed to initialize {section} from JSON.")
    return Refused(section)
