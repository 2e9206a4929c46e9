"""A field of a request, by its name and type. Source: see ``parameters``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lingctl.sandbox.engine.json_library import dump, kind
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.wish import Wish

Rules = Mapping[str, Any]
_T = TypeVar("_T")

INT_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1
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


def required(holder: Rules, name: str, kind: type[_T], absent: str, other: str) -> _T:
    """A field that must be there.

    Args:
        holder: the object that holds it.
        name: of the field.
        kind: Python's type of it.
        absent: what is said where it is absent or null.
        other: what is said of another type.
    """
    value = holder.get(name)
    if value is None:
        raise invalid(absent)
    if not isinstance(value, kind):
        raise invalid(other)
    return value


def section(body: Rules, name: str = "parameters") -> Rules:
    """An object inside the body, empty where it is absent or null."""
    return typed(body, name, "object") or {}


def ranged(name: str, wanted: str, low: float, high: float, words: str) -> Callable[[Rules, Wish], None]:
    """The rule of a number: it is read into the wish, where that has a place for it, or refused.

    Args:
        name: of the field, as of the wish's.
        wanted: the library's name of the type.
        low: smallest value.
        high: largest.
        words: what is said of another value, which stands for ``{}``.
    """

    def rule(rules: Rules, wish: Wish) -> None:
        value = typed(rules, name, wanted)
        if value is None:
            return
        if not low <= value <= high:
            raise invalid(words.format(dump(value)))
        if hasattr(wish, name):
            setattr(wish, name, float(value) if wanted == "float" else value)

    return rule
