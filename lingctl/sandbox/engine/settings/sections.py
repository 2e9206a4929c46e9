"""Sections of config.json: whether they are there, and whether their fields have the right types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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


class Fault(Exception):
    """What is wrong with a section, or with several together where the section's name is empty.

    Args:
        section: its name.
        lines: what is said of it.
        error: what is said on standard error.
    """

    def __init__(self, section: str, *lines: str, error: str = "") -> None:
        super().__init__(*lines)
        self.section, self.lines, self.error = section, lines, error

    @property
    def end(self) -> str:
        """3.0.0's last words of it: of several sections together it speaks when all are read."""
        if self.section:
            return f"ConfigManager init exception: Failed to initialize {self.section} from JSON."
        return "ConfigManager init exception: [ConfigManager] Checking Config Failed"


def read_document(path: Path, version: str) -> Section:
    """The whole of config.json.

    Raises:
        Fault: others may read or write it, or it is no JSON.
    """
    # 3.0.0 says it once for the whole file and again for the first section (seen).
    times = 1 if version == "1.0.0" else 2
    fault = private_file_fault(path, version)
    if fault:
        raise Fault("ServerConfig", *[fault] * times)
    try:
        # What follows the document 3.0.0 does not look at; that 1.0.0 does is inference.
        document = read(path.read_bytes().decode(), whole=version == "1.0.0")
    except (ValueError, JsonError):
        raise Fault("ServerConfig", *["Json file is invalid. Please check json format! "] * times) from None
    if not isinstance(document, dict):
        text = f"[json.exception.type_error.304] cannot use at() with {type_name(document)}"
        raise Fault("ServerConfig", f"ServerConfig: {text}")
    return document


def read_section(document: Section, name: str, fields: Sequence[Field], version: str) -> Section:
    """A section of the document.

    Raises:
        Fault: it is absent, or one of its fields is, or has another type.
    """
    if name not in document:
        raise Fault(name, f"{name}: [json.exception.out_of_range.403] key '{name}' not found")
    found = document[name]
    # Of what is no object nothing is found.
    section: Section = found if isinstance(found, dict) else {}
    check_types(section, name, fields, version)
    for key in UNGUARDED.get(name, ()) if version != "1.0.0" else ():
        flag(section.get(key))
    return section


def check_types(section: Section, name: str, fields: Sequence[Field], version: str) -> None:
    """Refuse a section that lacks a compulsory field, or has one of another type."""
    for field in fields:
        if field.name in section:
            _check_type(field, section[field.name], name)
        elif version in field.required:
            raise Fault(name, f"[ParamChecker::CheckJsonParamType] {field.name}: missing compulsory field")


def _check_type(field: Field, value: object, section: str) -> None:
    limits = LIMITS.get(field.kind)
    if not isinstance(value, JSON_TYPES[field.kind]) or (limits and isinstance(value, bool)):
        words = f"{'but is' if field.kind == 'array' else 'but got'} {type_name(value)}"
        raise Fault(section, f"The type of param {field.name} should be {field.kind}, {words}")
    if limits and isinstance(value, int) and not limits[0] <= value <= limits[1]:
        raise Fault(
            section,
            f"The value of param {field.name} for {field.kind} is invalid.",
            error=f"Negative value is invalid for {field.kind}." if value < 0 == limits[0] else "",
        )
