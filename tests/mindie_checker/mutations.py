"""Every place of a document with every odd value, as data and as text."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]
# One of each kind, and the edges of the kinds.
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    1.0,
    1.5,
    "",
    "1",
    "x",
    "1x",
    " 2",
    "true",
    "null",
    [],
    [None],
    [1],
    ["a"],
    [[]],
    {},
    {"a": None},
    {"a": "b"},
    2**31 - 1,
    2**31,
    2**32,
    2**32 + 1,
    2**63,
    2**64 - 1,
    -(2**63),
    "x" * 300,
)
# What only a text can hold: numbers too large, halves of characters, keys twice, what is no JSON.
ODD_TEXTS = (
    "1e400",
    "-1e400",
    "1" * 400,
    "-" + "1" * 400,
    "1" * 25,
    "1" + "0" * 308,
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1e-400",
    "-0",
    "-0.0",
    "1E2",
    "1e+2",
    "01",
    "1.",
    ".5",
    "+1",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    "nul",
    "True",
    r'"\ud800"',
    r'"\udc00"',
    r'"\ud800\ud800"',
    r'"\ud800x"',
    r'"\ud83d\ude00"',
    r'["\ud800"]',
    r'[["\udfff"]]',
    r'{"\ud800": 1}',
    r'{"a": "\ud800", "a": 1}',
    r'{"a": 1e400, "a": 1}',
    r'"\u0000"',
    r'"\x"',
    r'"\u12"',
    '"\t"',
    '"\x7f"',
    '{"a": 1,}',
    "[1,]",
    "[,]",
    "{'a': 1}",
    "1 // comment",
    "1 /* comment */",
    '{"a": 1, "a": null}',
    "[" * 200 + "]" * 200,
    '{"a":' * 200 + "1" + "}" * 200,
)


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place below a value, by its keys and indices."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


def holder(document: Any, path: Place) -> Any:
    """What holds the last key of a path."""
    for key in path[:-1]:
        document = document[key]
    return document


def replaced(document: Any, path: Place, value: Any) -> Any:
    """A copy with another value in one place."""
    changed = copy.deepcopy(document)
    holder(changed, path)[path[-1]] = copy.deepcopy(value)
    return changed


def removed(document: Any, path: Place) -> Any:
    """A copy without one place."""
    changed = copy.deepcopy(document)
    del holder(changed, path)[path[-1]]
    return changed


def with_text(document: Any, path: Place, text: str) -> str:
    """The document as text, with a text as it is in one place."""
    return json.dumps(replaced(document, path, "\x01")).replace(r'"\u0001"', text)


def doubled(document: Any, path: Place, text: str, *, first: bool) -> str:
    """The document as text, with a key twice: the other one before, or behind, holds ``text``."""
    key, value = json.dumps(path[-1]), json.dumps(holder(document, path)[path[-1]])
    both = f"{text}, {key}: {value}" if first else f"{value}, {key}: {text}"
    return with_text(document, path, both)
