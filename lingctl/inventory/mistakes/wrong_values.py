"""A value of hosts.yaml of the wrong kind, in words: what it is, and what to write in its place. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lingctl.inventory.mistakes.unknown_keys import field_at, known_keys
from lingctl.inventory.yaml_text.source import FieldPath

_PART = re.compile(r"([0-9]{1,9})\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CLOCK = re.compile(r"[0-9]{1,6}(:[0-5]?[0-9]){1,2}")
_RANGES = re.compile(r"\[?\s*[0-9]{1,4}(\s*[-,]\s*[0-9]{1,4})*\s*\]?")
_MOST_CARDS = 64

_Words = Callable[[FieldPath, Any, Mapping[str, Any]], tuple[str, str]]


def is_number(text: str) -> bool:
    """Whether it is a plain decimal number."""
    return re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?", text) is not None


def seconds_in(text: str) -> int | None:
    """The seconds of ``2h``, ``1h30m``, ``90 min`` or ``1:30:00``; None where it is no time."""
    if _CLOCK.fullmatch(text):
        hours, minutes, seconds = (*map(int, text.split(":")), 0)[:3]
        return 3600 * hours + 60 * minutes + seconds
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        return None
    return sum(int(count) * _SECONDS[unit[0].lower()] for count, unit in parts)


def _no_value(value: object) -> str:
    return "has no value" if value is None else f"is {short(value)}"


def short(value: object) -> str:
    """A value as messages show it."""
    if isinstance(value, dict):
        return "a part with keys of its own"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _whole_number(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(value, str):
        seconds = seconds_in(value.strip())
        if path[:1] == ("timeouts",) and seconds is not None:
            return f"{_no_value(value)}, and is counted in seconds", f"write {seconds}"
        if value.strip().isdecimal():
            return f"{_no_value(value)}: text, and no number", f"write {int(value)}, without quotes"
    return f"{_no_value(value)}, and is a whole number", _example_of(path, "a whole number")


def _number(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(value, str) and is_number(value.strip()):
        return f"{_no_value(value)}: text, and no number", f"write {value.strip()}, without quotes"
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?\s*%", value.strip()):
        share = float(value.strip().rstrip("%")) / 100
        return f"{_no_value(value)}, and is a share of 1", f"write {share:g}"
    return f"{_no_value(value)}, and is a number", _example_of(path, "a number")


def _boolean(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    plain = str(value).lower()
    if plain in ("true", "yes", "on", "1"):
        return f"{_no_value(value)}, and is true or false", "write true, without quotes"
    if plain in ("false", "no", "off", "0"):
        return f"{_no_value(value)}, and is true or false", "write false, without quotes"
    return f"{_no_value(value)}, and is true or false", "write true or false, without quotes"


def _text(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if path[-1:] == ("shm_size",) and isinstance(value, int) and not isinstance(value, bool):
        return f"{_no_value(value)}, which are bytes", f"write {value}g for GiB, {value}m for MiB"
    if path[-1:] in (("mindie",), ("version",)) and isinstance(value, int) and not isinstance(value, bool):
        return f"{_no_value(value)}: a number, and no version", f'write all of it, in quotes: "{value}.0.0"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{_no_value(value)}: a number, and no text", f'write it in quotes: "{value}"'
    return f"{_no_value(value)}, and is a word", _example_of(path, "one word or path")


def _part(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if path[:1] == ("nodes",) and len(path) == 2 and isinstance(value, str):
        return f"{_no_value(value)}, and has keys of its own", f"write - address: {value}"
    if path == ("https",):
        remedy = "write https: {cert: FILE, key: FILE, ca: FILE}, or leave it out"
        return f"{_no_value(value)}, and has keys of its own", remedy
    keys = ", ".join(sorted(known_keys(path)))
    return (
        f"{_no_value(value)}, and has keys of its own",
        f"write {path[-1] if path else 'KEY'}: {{KEY: VALUE}}" + (f"; its keys: {keys}" if keys else ""),
    )


def _cards(text: str) -> list[int]:
    """The cards of ``0-7``, ``0,1,2`` or ``[0-3, 6]``; none where it is no such list."""
    found: list[int] = []
    for part in text.strip("[] ").split(",") if _RANGES.fullmatch(text) else ():
        first, _, last = (one.strip() for one in part.partition("-"))
        if int(last or first) < _MOST_CARDS:
            found += range(int(first), int(last or first) + 1)
    return sorted(set(found))


def _list(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if path[-1:] == ("devices",) and isinstance(value, int | str) and not isinstance(value, bool):
        # A number alone is how many, for people; a list begins with card 0.
        cards = list(range(value)) if isinstance(value, int) and value <= _MOST_CARDS else _cards(str(value))
        if cards:
            return f"{_no_value(value)}, and is a list of cards", f"write devices: {cards}"
    if path == ("nodes",) and isinstance(value, str) and value.strip():
        each = ", ".join(f"{{address: {one}}}" for one in re.split(r"[\s,]+", value.strip()))
        return f"{_no_value(value)}, and is a list of machines", f"write nodes: [{each}]"
    if path == ("nodes",) and isinstance(value, dict) and value:
        remedy = "write each machine as an entry of its own, below nodes and indented: - address: ADDRESS"
        return "is one part with keys, and is a list of machines", remedy
    if path == ("nodes",):
        return f"{_no_value(value)}: no machine is named", "write below nodes, indented: - address: ADDRESS"
    if value is None or isinstance(value, dict):
        return f"{_no_value(value)}, and is a list", f"write {path[-1]}: [FIRST, SECOND]"
    return f"{_no_value(value)}, and is a list", f"write {path[-1]}: [{value}]"


def _too_short(path: FieldPath, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    if path == ("nodes",):
        return _list(path, value, context)
    return f"{_no_value(value)}, which is too little", "write a value, or leave the key out"


def _too_long(path: FieldPath, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    most = context.get("max_length", "")
    return f"has more than {most} entries", f"keep {most} of them"


def _bound(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    low, high = _bounds(path)
    if low and high:
        return f"is {short(value)}, and goes from {low} to {high}", _example_of(
            path, f"a number from {low} to {high}"
        )
    bound = f"at least {low}" if low else f"at most {high}"
    return f"is {short(value)}, and is {bound}", _example_of(path, f"a number of {bound}")


def _bounds(path: FieldPath) -> tuple[str, str]:
    field = field_at(path)
    low = high = ""
    for one in field.metadata if field else ():
        low = f"{one.ge}" if getattr(one, "ge", None) is not None else low
        low = f"more than {one.gt}" if getattr(one, "gt", None) is not None else low
        high = f"{one.le}" if getattr(one, "le", None) is not None else high
    return low, high


def _one_of(path: FieldPath, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"{_no_value(value)}, and is {context.get('expected', 'another word')}", "write one of these"


def _example_of(path: FieldPath, what: str) -> str:
    field = field_at(path)
    default = field.default if field else None
    usual = isinstance(default, str | int | float) and not isinstance(default, bool)
    return f"write {what}, such as {default}" if usual else f"write {what}"


# By pydantic's word for a mistake: what is said of it, and its code.
KINDS: Mapping[str, tuple[_Words, str]] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), (_whole_number, "hosts-number")),
    **dict.fromkeys(("float_type", "float_parsing"), (_number, "hosts-number")),
    **dict.fromkeys(("bool_type", "bool_parsing"), (_boolean, "hosts-true-or-false")),
    "string_type": (_text, "hosts-word"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), (_part, "hosts-part")),
    **dict.fromkeys(("tuple_type", "list_type"), (_list, "hosts-list")),
    "too_short": (_too_short, "hosts-list"),
    "string_too_short": (_too_short, "hosts-form"),
    "too_long": (_too_long, "hosts-too-many"),
    **dict.fromkeys(
        ("greater_than_equal", "greater_than", "less_than_equal", "less_than"), (_bound, "hosts-range")
    ),
    **dict.fromkeys(("literal_error", "enum"), (_one_of, "hosts-choice")),
}
