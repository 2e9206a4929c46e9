"""A field of a request, by its name and type. Source: see ``parameters``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.json_library import kind
from lingctl.sandbox.engine.requests.errors import invalid

Rules = Mapping[str, Any]


INT_MAX = 2**31 - 1


INT64_MAX = 2**63 - 1


FLOAT_MAX = 3.4028234663852886e38


KINDS = {
    "float": ("float", "integer", "unsigned"),
    "integer": ("integer", "unsigned"),
}


def typed(rules: Rules, name: str, wanted: str) -> Any:
    """A field's value, None where it is absent or null.

    Args:
        rules: the object that holds it; anything else holds nothing.
        name: of the field.
        wanted: the library's name of the type.

    Raises:
        ApiError: it has another type.
    """
    value = rules.get(name) if isinstance(rules, Mapping) else None
    if value is not None and kind(value) not in KINDS.get(wanted, (wanted,)):
        raise invalid(f"{name} must be {wanted} type.")
    return value


def section(body: Rules, name: str = "parameters") -> Rules:
    """An object inside the body, empty where it is absent or null."""
    return typed(body, name, "object") or {}


def as_int64(value: int) -> int:
    """An unsigned value beyond 63 bit is read as a negative one."""
    return value - 2**64 if value > INT64_MAX else value
