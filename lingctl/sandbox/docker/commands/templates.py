"""The part of Go's templates that ``--format`` is used with."""

# ruff: noqa: ANN401  (its values are whatever JSON holds)

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lingctl.sandbox.docker.trouble import DockerError

_PIECE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


def render(template: str, value: Any) -> str:
    """The text of a template for a value.

    Raises:
        DockerError: the template is wrong, or uses what is not emulated.
    """
    pieces = _PIECE.split(template.replace("\\t", "\t").replace("\\n", "\n"))
    text, rest = _block(iter(enumerate(pieces)), value)
    if rest is not None:
        raise DockerError(f"template parsing error: template: :1: unexpected {{{{{rest}}}}}", 64)
    return text


def _block(pieces: Iterator[tuple[int, str]], value: Any, live: bool = True) -> tuple[str, str | None]:
    """Render up to the ``end`` or ``else`` of this block; gives that word too."""
    parts: list[str] = []
    for index, piece in pieces:
        if index % 2 == 0:
            parts.append(piece)
            continue
        word, _, rest = piece.partition(" ")
        if word in ("end", "else"):
            return "".join(parts) if live else "", word
        if word in ("range", "if"):
            raw = list(_until_end(pieces))
            parts.append(_repeat(rest, raw, value) if word == "range" else _choose(rest, raw, value))
        else:
            parts.append(_shown(_evaluate(piece, value)))
    return "".join(parts), None


def _until_end(pieces: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    depth = 1
    for index, piece in pieces:
        if index % 2:
            word = piece.partition(" ")[0]
            depth += (word in ("range", "if")) - (word == "end")
            if depth == 0:
                return
        yield index, piece
    raise DockerError("template parsing error: template: :1: unexpected EOF", 64)


def _repeat(expression: str, raw: list[tuple[int, str]], value: Any) -> str:
    found = _evaluate(expression, value)
    items = list(found.values()) if isinstance(found, Mapping) else list(found or [])
    return "".join(_block(iter(raw), item)[0] for item in items)


def _choose(expression: str, raw: list[tuple[int, str]], value: Any) -> str:
    pieces = iter(raw)
    yes, word = _block(pieces, value)
    no = _block(pieces, value)[0] if word == "else" else ""
    return yes if _evaluate(expression, value) else no


def _evaluate(expression: str, value: Any) -> Any:
    result: Any = None
    for number, stage in enumerate(part.strip() for part in expression.split("|")):
        words = _WORD.findall(stage)
        if not words:
            raise DockerError("template parsing error: template: :1: missing value for command", 64)
        head, arguments = words[0], [_operand(word, value) for word in words[1:]]
        if number:
            arguments.append(result)
        if head in _FUNCTIONS:
            result = _FUNCTIONS[head](*arguments)
        elif head == ".Label" and arguments:
            result = _labels(value).get(str(arguments[0]), "")
        elif head.startswith((".", '"')):
            result = _operand(head, value)
        else:
            raise DockerError(f'template parsing error: template: :1: function "{head}" not defined', 64)
    return result


def _operand(word: str, value: Any) -> Any:
    if word.startswith('"'):
        return json.loads(word)
    if re.fullmatch(r"-?\d+", word):
        return int(word)
    for name in word.strip("()").split("."):
        if not name:
            continue
        if not isinstance(value, Mapping) or name not in value:
            raise DockerError(
                f'template: :1:2: executing "" at <{word}>: map has no entry for key "{name}"', 1
            )
        value = value[name]
    return value


def _labels(value: Mapping[str, Any]) -> Mapping[str, str]:
    text = value.get("Labels", "")
    return text if isinstance(text, Mapping) else dict(p.partition("=")[::2] for p in text.split(",") if p)


def _index(value: Any, key: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, "")
    if isinstance(value, Sequence) and isinstance(key, int) and key < len(value):
        return value[key]
    raise DockerError(f'template: :1:2: executing "": error calling index: index out of range: {key}', 1)


def _shown(value: Any) -> str:
    """As Go prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_shown(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_shown(item) for item in value) + "]"
    return str(value)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": lambda value: json.dumps(value, separators=(",", ":")),
    "index": _index,
    "len": len,
    "upper": lambda value: str(value).upper(),
    "lower": lambda value: str(value).lower(),
    "join": lambda values, between: between.join(values),
    "println": lambda *values: " ".join(_shown(value) for value in values) + "\n",
    "print": lambda *values: "".join(_shown(value) for value in values),
    "eq": lambda first, *others: first in others,
    "ne": lambda first, other: first != other,
    "not": lambda value: not value,
}
