"""The server's JSON library where its own code does not look: what it reads, and what it throws.

Source: nlohmann's JSON for Modern C++ 3.11 as MindIE-LLM v3.0.0 uses it; its checker was run on these cases.
1.0.0 is taken to use the same (inference).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.settings.fields import json_type

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.S)


class JsonError(Exception):
    """An exception of the library; the text is what it says."""


def read(text: str, *, whole: bool) -> Any:
    """The value that a text begins with.

    Args:
        text: UTF-8 as text; a byte order mark is passed over.
        whole: whether nothing may follow; a file's end is not looked at.

    Raises:
        ValueError: no JSON.
        JsonError: a number beyond a double.
    """
    text = text.removeprefix("\ufeff").lstrip(" \t\n\r")
    decoder = json.JSONDecoder(
        parse_int=_integer, parse_float=_float, parse_constant=_no_constant, strict=True
    )
    try:
        value, end = decoder.raw_decode(text)
    except RecursionError as error:
        raise ValueError("too deep for this emulation") from error
    if whole and text[end:].strip(" \t\n\r"):
        raise ValueError("something follows")
    for string in _STRINGS.finditer(text[:end]):
        _whole_characters(string[0])
    return value


def _whole_characters(string: str) -> None:
    """Every high surrogate is followed by a low one, written as escapes; there is no other low one."""
    high_ends = -1
    for escape in _ESCAPES.finditer(string):
        code = int(escape[1], 16) if escape[1] else 0
        paired = high_ends == escape.start() and 0xDC00 <= code <= 0xDFFF
        if (high_ends >= 0) != paired or (0xDC00 <= code <= 0xDFFF and not paired):
            raise ValueError("half a pair of surrogates")
        high_ends = escape.end() if 0xD800 <= code <= 0xDBFF else -1
    if high_ends >= 0:
        raise ValueError("half a pair of surrogates")


def _integer(digits: str) -> int | float:
    if len(digits) < 22 and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return _float(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise JsonError(f"[json.exception.out_of_range.406] number overflow parsing '{digits}'")
    return value


def _no_constant(name: str) -> object:
    """NaN and Infinity, which Python reads and the library does not."""
    raise ValueError(name)


def text(value: object) -> str:
    """A value taken as text."""
    if isinstance(value, str):
        return value
    raise JsonError(f"[json.exception.type_error.302] type must be string, but is {json_type(value)}")


def flag(value: object) -> bool:
    """A value taken as a switch."""
    if isinstance(value, bool):
        return value
    raise JsonError(f"[json.exception.type_error.302] type must be boolean, but is {json_type(value)}")


def number(value: object, *, boolean: bool = True) -> int:
    """A value taken as a number; a fraction is cut off. Into 64 bits without sign no switch goes."""
    if isinstance(value, int | float) and (boolean or not isinstance(value, bool)):
        return int(value)
    raise JsonError(f"[json.exception.type_error.302] type must be number, but is {json_type(value)}")


def member(value: object, key: str) -> Any:
    """A member that must be there."""
    if not isinstance(value, Mapping):
        raise JsonError(f"[json.exception.type_error.304] cannot use at() with {json_type(value)}")
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
