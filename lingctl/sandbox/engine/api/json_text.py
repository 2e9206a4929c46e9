"""JSON as the server's own library reads and writes it.

Source: nlohmann json 3.11, MindIE-LLM v3.0.0 src/server/endpoint/utils/json_util.cpp. Integers beyond 64 bit
become floats, a number beyond a double is refused, as are NaN, lone surrogates and bytes that are not UTF-8.
What is nested too deep is dropped without a word (seen on the real 3.0.0).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

_UNSIGNED_MAX, _SIGNED_MIN = 2**64 - 1, -(2**63)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TOKEN = re.compile(
    r'[ \t\n\r]*(?:("(?:[^"\\\x00-\x1f]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)'
    r"|(true|false|null)|([\[\]{},:]))",
    re.ASCII,
)
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", float: "float", type(None): "null"}


class NotJson(ValueError):
    """The bytes are no JSON text."""


def parse(data: bytes, deepest: int) -> Any:
    """The value of a text.

    Args:
        data: the bytes of the body.
        deepest: depth of the deepest containers that are kept; the outermost has depth 0.

    Raises:
        NotJson: they are no JSON text.
    """
    try:
        text = data.decode().removeprefix("\ufeff")
        try:
            value = json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_constant)
        except RecursionError:
            value = _parse_deep(text, deepest)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    return _pruned(value, deepest)


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


def _constant(text: str) -> NoReturn:
    raise ValueError(text)


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _integer(text: str) -> int | float:
    if len(text) > 20:
        return _number(text)
    value = int(text)
    return value if _SIGNED_MIN <= value <= _UNSIGNED_MAX else float(value)


def _pruned(value: Any, deepest: int, depth: int = 0) -> Any:
    """The value without the containers that lie deeper."""

    def kept(item: object) -> bool:
        return depth < deepest or not isinstance(item, (dict, list))

    if isinstance(value, dict):
        return {key: _pruned(item, deepest, depth + 1) for key, item in value.items() if kept(item)}
    if isinstance(value, list):
        return [_pruned(item, deepest, depth + 1) for item in value if kept(item)]
    return value


def _parse_deep(text: str, deepest: int) -> Any:
    """Parse what is nested too deep for Python's own parser; the server's one has no such limit.

    A container's state is what may come next: a value, a key, a colon, or a comma or its end.
    """
    outermost: list[Any] = []
    stack: list[tuple[Any, str]] = [(outermost, "")]
    expects, keys, position = "value", [""], 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            break
        position = match.end()
        string, number, word, mark = match.groups()
        holder, closer = stack[-1]
        if mark and mark in "]}":
            if mark != closer or expects not in ("comma", "first"):
                raise NotJson("unexpected end")
            stack.pop()
            keys.pop()
            expects = "comma"
        elif mark == ",":
            if expects != "comma" or not closer:
                raise NotJson("unexpected comma")
            expects = "key" if closer == "}" else "value"
        elif mark == ":":
            if expects != "colon":
                raise NotJson("unexpected colon")
            expects = "value"
        elif expects in ("key", "first") and closer == "}":
            if string is None:
                raise NotJson("a key is no string")
            keys[-1], expects = json.loads(string), "colon"
        elif expects in ("value", "first"):
            fresh: Any = {} if mark == "{" else [] if mark == "[" else None
            value = fresh
            if not mark:
                value = _scalar(string, number, word)
            if len(stack) <= deepest + 2:
                if isinstance(holder, dict):
                    holder[keys[-1]] = value
                else:
                    holder.append(value)
            expects = "comma"
            if mark:
                stack.append((fresh, "}" if mark == "{" else "]"))
                keys.append("")
                expects = "first"
        else:
            raise NotJson("unexpected value")
    if text[position:].strip(" \t\n\r") or len(stack) > 1 or len(outermost) != 1:
        raise NotJson("not one whole value")
    return outermost[0]


def _scalar(string: str | None, number: str | None, word: str | None) -> Any:
    if string is not None:
        return json.loads(string)
    if number is not None:
        return _number(number) if set(number) & set(".eE") else _integer(number)
    return json.loads(word or "")
