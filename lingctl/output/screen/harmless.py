"""Text from elsewhere as it may be printed: shown, never obeyed, never without an end.

Elsewhere is a node, a service, a model, a file, a hub. What a terminal would obey instead of showing it is
written out (``\\x1b``, ``\\u202e``), as is what no encoding can print (half of a surrogate pair). Standard
library only: ``lingctl --help`` loads it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence

# C0 but tab and line end, DEL and C1; line separators of Unicode; marks that turn the direction of what
# follows (Unicode 16, chapter 23.2) or hide it (annotations); halves of surrogate pairs.
_OBEYED = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff"
)
_CONTROLS = re.compile(f"[{_OBEYED}]")
# Characters of one message. A console has 4,000 on a full screen.
MOST = 4_000
# Of one string in a document for programs.
_MOST_IN_JSON = 1_000_000
_MOST_DEPTH = 64
# So many levels of a document are made in parts: itself, and its lists.
_APART = 2
# Python writes no longer numbers, to be safe from their cost.
_MOST_BITS = 4_096


def harmless(text: str, most: int = MOST) -> str:
    """The first ``most`` characters of a text as they may be printed, and how many more there are."""
    return written_out(shortened(text, most))


def shortened(text: str, most: int) -> str:
    """The first ``most`` characters of a text, and how many more there are."""
    return text if len(text) <= most else f"{text[:most]} ... ({len(text) - most:,} more characters)"


def written_out(text: str) -> str:
    """A text with each character that would be obeyed in words of ASCII; of any length."""
    return _CONTROLS.sub(_in_words, text.replace("\r\n", "\n"))


def _in_words(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def json_text(content: object, indent: int | None = 2) -> str:
    """A document of JSON that every reader takes: nothing that a terminal obeys, no NaN, no half a pair."""
    encoder = json.JSONEncoder(ensure_ascii=False, indent=indent, default=str)
    if indent is None:
        return _CONTROLS.sub(_in_json, encoder.encode(_plain(content, 0)))
    return "".join(_CONTROLS.sub(_in_json, part) for part in _parts(content, encoder, " " * indent, 0))


def _parts(value: object, encoder: json.JSONEncoder, step: str, depth: int) -> Iterator[str]:
    """The text of a value, each thing in its lists made by itself: json makes a string of every word first,
    which takes five times the room of the text."""
    end = "\n" + step * depth
    between = end + step
    if depth < _APART and isinstance(value, Mapping) and value:
        named = {_key(name): inner for name, inner in value.items()}
        for number, (name, inner) in enumerate(named.items()):
            yield f"{',' if number else '{'}{between}{encoder.encode(name)}: "
            yield from _parts(inner, encoder, step, depth + 1)
        yield f"{end}}}"
    elif depth < _APART and isinstance(value, list | tuple) and value:
        for number, inner in enumerate(value):
            yield f"{',' if number else '['}{between}"
            yield from _parts(inner, encoder, step, depth + 1)
        yield f"{end}]"
    else:
        yield encoder.encode(_plain(value, depth)).replace("\n", end)


def _in_json(found: re.Match[str]) -> str:
    number = ord(found[0])  # line ends of the document are none of these, so it stands in a string
    # JSON cannot hold half of a pair; readers differ in what they make of one. So it is shown, as above.
    return f"\\\\u{number:04x}" if 0xD800 <= number <= 0xDFFF else f"\\u{number:04x}"


def _plain(value: object, depth: int) -> object:
    if isinstance(value, str):
        return shortened(value, _MOST_IN_JSON)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else f"a number of {value.bit_length():,} bits"
    if depth > _MOST_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return {_key(name): _plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [_plain(inner, depth + 1) for inner in value]
    return value


def _key(name: object) -> str:
    if isinstance(name, str):
        return shortened(name, _MOST_IN_JSON)
    return json.dumps(name) if name is None or isinstance(name, bool) else str(name)
