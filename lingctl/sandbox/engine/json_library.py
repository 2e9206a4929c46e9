"""JSON as the server's library reads, names and writes it, and what it throws where the code does not look.

Source: nlohmann's JSON for Modern C++ 3.11 as MindIE-LLM v3.0.0 uses it; its checker was run on these cases.
Integers beyond 64 bit become floats, a number beyond a double is refused, as are NaN and lone surrogates.
1.0.0 is taken to use the same (inference).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.S)
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", float: "float", type(None): "null"}


class JsonError(Exception):
    """An exception of the library; the text is what it says."""


class TooDeep(ValueError):
    """It is nested deeper than Python's parser goes; the server's has no such limit."""


def read(text: str, *, whole: bool) -> Any:
    """The value that a text begins with.

    Args:
        text: UTF-8 as text; a byte order mark is passed over.
        whole: whether nothing may follow; a file's end is not looked at.

    Raises:
        ValueError: no JSON, or too deep.
        JsonError: a number beyond a double.
    """
    text = text.removeprefix("\ufeff").lstrip(" \t\n\r")
    decoder = json.JSONDecoder(
        parse_int=number_of, parse_float=number_of, parse_constant=_no_constant, strict=True
    )
    try:
        value, end = decoder.raw_decode(text)
    except RecursionError as error:
        raise TooDeep from error
    if whole and text[end:].strip(" \t\n\r"):
        raise ValueError("something follows")
    check_characters(text[:end])
    return value


def check_characters(text: str) -> None:
    """Every high surrogate in a text's strings is followed by a low one, and there is no other low one.

    Raises:
        ValueError: there is half a pair.
    """
    if not _SURROGATE.search(text):
        return
    for string in _STRINGS.finditer(text):
        high_ends = -1
        for escape in _ESCAPES.finditer(string[0]):
            code = int(escape[1], 16) if escape[1] else 0
            paired = high_ends == escape.start() and 0xDC00 <= code <= 0xDFFF
            if (high_ends >= 0) != paired or (0xDC00 <= code <= 0xDFFF and not paired):
                raise ValueError("half a pair of surrogates")
            high_ends = escape.end() if 0xD800 <= code <= 0xDBFF else -1
        if high_ends >= 0:
            raise ValueError("half a pair of surrogates")


def number_of(digits: str) -> int | float:
    """The number that digits stand for.

    Raises:
        JsonError: beyond a double.
    """
    if not set(digits) & set(".eE") and len(digits) < 22 and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise JsonError(f"[json.exception.out_of_range.406] number overflow parsing '{digits}'")
    return value


def _no_constant(name: str) -> object:
    """NaN and Infinity, which Python reads and the library does not."""
    raise ValueError(name)


def kind(value: object) -> str:
    """The library's type of a value: integers that are not negative are ``unsigned``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "unsigned" if value >= 0 else "integer"
    return _TYPES[type(value)]


def type_name(value: object) -> str:
    """The name of a value's type in the library's exceptions."""
    name = kind(value)
    return "number" if name in ("unsigned", "integer", "float") else name


def dump(value: object) -> str:
    """The text of a value, without blanks."""
    if isinstance(value, float) and 1e15 <= abs(value) < 1e16:
        # The library changes to an exponent one digit earlier than Python.
        digits = repr(abs(value)).partition(".")[0].rstrip("0")
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{'-' if value < 0 else ''}{digits[0]}{fraction}e+15"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text(value: object) -> str:
    """A value taken as text."""
    if isinstance(value, str):
        return value
    raise JsonError(f"[json.exception.type_error.302] type must be string, but is {type_name(value)}")


def flag(value: object) -> bool:
    """A value taken as a switch."""
    if isinstance(value, bool):
        return value
    raise JsonError(f"[json.exception.type_error.302] type must be boolean, but is {type_name(value)}")


def number(value: object, *, boolean: bool = True) -> int:
    """A value taken as a number; a fraction is cut off. Into 64 bits without sign no switch goes."""
    if isinstance(value, int | float) and (boolean or not isinstance(value, bool)):
        return int(value)
    raise JsonError(f"[json.exception.type_error.302] type must be number, but is {type_name(value)}")


def member(value: object, key: str) -> Any:
    """A member that must be there."""
    if not isinstance(value, Mapping):
        raise JsonError(f"[json.exception.type_error.304] cannot use at() with {type_name(value)}")
    if key not in value:
        raise JsonError(f"[json.exception.out_of_range.403] key '{key}' not found")
    return value[key]


def elements(value: object) -> list[Any]:
    """What a loop goes over: a list's, an object's values, nothing for null, and any other value itself."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
