"""The JSON of a request's body: what is nested too deep is dropped without a word (seen on the real 3.0.0).

Source: MindIE-LLM v3.0.0 src/server/endpoint/utils/json_util.cpp.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lingctl.sandbox.engine.json_library import JsonError, TooDeep, check_characters, number_of, read

_TOKEN = re.compile(
    r'[ \t\n\r]*(?:("(?:[^"\\\x00-\x1f]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)'
    r"|(true|false|null)|([\[\]{},:]))",
    re.ASCII,
)


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
            value = read(text, whole=True)
        except TooDeep:
            value = _parse_deep(text, deepest)
            check_characters(text)
    except (ValueError, JsonError) as error:
        raise NotJson(str(error)) from None
    return _pruned(value, deepest)


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
        return number_of(number)
    return json.loads(word or "")
