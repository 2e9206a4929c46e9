"""Changes of input: of bytes, of lines, of values in JSON, and of its length."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence

LONGEST = 24_000

_NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"255", b"65536", b"2147483648", b"4294967296", b"9223372036854775808"),
    *(b"18446744073709551616", b"1e999", b"-1e999", b"1.5", b"nan", b"0x10", b"1_000", b"007", b"9" * 400),
    *(b"9" * 5000, "٣".encode(), "²".encode(), b"+5", b"1e-400", b"1" + b"0" * 310),
)
_WORDS = (
    *(
        b"\x00",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\x1b]0;t\x07",
        b"\x1b[2J",
        b"\xc2\x9b31m",
        b"\xe2\x80\xae",
        b"\xff",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"\\u202e",
        b"[" * 2000,
        b"{" * 2000,
        b"null",
    ),
    *(
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"NaN",
        b"Infinity",
        b"\xe2\x80\xa8",
        b"\x1e",
        b"\x0c",
        b"\x85",
        b"../../x",
    ),
    *(
        b"a.a.a.a.a.",
        b"=" * 300,
        b":" * 300,
        b'"',
        b"'",
        b"\\",
        b" " * 300,
        b"\t",
        b"%s",
        b"[/]",
        b"x" * 5000,
    ),
)
_VALUES: tuple[object, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**64,
        10**400,
        1.5,
        float("inf"),
        float("nan"),
        -0.0,
        1e308,
    ),
    *(
        "",
        "x",
        "0",
        "-1",
        "\ud800",
        "\x1b[31m",
        "\u202e",
        "x" * 3000,
        "9" * 5000,
        "a\nb",
        "/etc/passwd",
        "../x",
    ),
    *([], {}, [[]], [None], [1, "a"], {"": None}, {"a": 1}, [{}], "\x00", "node1", "é", "😀"),
)
_NUMBER = re.compile(rb"[0-9]+")


def changed(data: bytes, chance: random.Random, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """The input with a few things changed."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        kind = chance.choice(_KINDS)
        data = kind(data or b"\n", chance, others, words)
    return data[:LONGEST]


def stretched(data: bytes, chance: random.Random) -> Callable[[int], bytes]:
    """The input with one piece of it so often that it has a length."""
    at = chance.randrange(len(data) + 1)
    piece = data[at : at + chance.choice((1, 1, 2, 3, 8, 40, 200, 1000))] or b"a"
    if chance.random() < 0.4:
        piece += chance.choice((b"\n", b" ", b":", b"=", b"-", b"/", b".", b",", b"\r", b"{", b"[", b'"'))
    end = chance.choice((b"", b"\n", b"\x00", b"!", data[at:]))

    def of(length: int) -> bytes:
        return data[:at] + piece * max(1, (length - len(data)) // len(piece)) + end

    return of


def _flip(data: bytes, chance: random.Random, _o: object, _w: object) -> bytes:
    at = chance.randrange(len(data))
    byte = data[at] ^ (1 << chance.randrange(8)) if chance.random() < 0.5 else chance.randrange(256)
    return data[:at] + bytes([byte]) + data[at + 1 :]


def _cut(data: bytes, chance: random.Random, _o: object, _w: object) -> bytes:
    at, length = chance.randrange(len(data)), chance.choice((1, 1, 2, 5, 20, 100))
    return data[:at] if chance.random() < 0.15 else data[:at] + data[at + length :]


def _repeat(data: bytes, chance: random.Random, _o: object, _w: object) -> bytes:
    at, to = chance.randrange(len(data)), chance.randrange(len(data))
    piece = data[at : at + chance.choice((1, 3, 10, 60, 300))]
    return data[:to] + piece * chance.choice((1, 1, 2, 20)) + data[to:]


def _word(data: bytes, chance: random.Random, _o: object, words: Sequence[bytes]) -> bytes:
    word = chance.choice(words) if words and chance.random() < 0.6 else chance.choice(_WORDS)
    at = chance.randrange(len(data) + 1)
    return data[:at] + word + data[at + chance.choice((0, 0, len(word), 1)) :]


def _number(data: bytes, chance: random.Random, _o: object, _w: object) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data + chance.choice(_NUMBERS)
    one = chance.choice(found)
    return data[: one.start()] + chance.choice(_NUMBERS) + data[one.end() :]


def _lines(data: bytes, chance: random.Random, others: Sequence[bytes], _w: object) -> bytes:
    lines = data.split(b"\n")
    at, kind = chance.randrange(len(lines)), chance.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(chance.randrange(len(lines) + 1), lines[at])
    elif kind == 2:
        to = chance.randrange(len(lines))
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 3:
        lines.insert(at, chance.choice(chance.choice(others).split(b"\n")))
    else:
        lines[at] = lines[at].strip() if chance.random() < 0.5 else b"  " + lines[at] + b"  "
    return b"\n".join(lines)


def _splice(data: bytes, chance: random.Random, others: Sequence[bytes], _w: object) -> bytes:
    other = chance.choice(others) or b"x"
    at, frm = chance.randrange(len(data) + 1), chance.randrange(len(other))
    return data[:at] + other[frm : frm + chance.choice((5, 40, 400, 4000))] + data[at:]


def _value(data: bytes, chance: random.Random, _o: object, _w: object) -> bytes:
    """One value of a JSON text, or of a line that holds one, becomes another of any type."""
    if data.lstrip()[:1] in (b"{", b"["):
        whole = _json_changed(data, chance)
        if whole is not None:
            return whole
    lines = data.split(b"\n")
    places = [n for n, line in enumerate(lines) if b"{" in line]
    if not places:
        return data
    at = chance.choice(places)
    head, brace, rest = lines[at].partition(b"{")
    new = _json_changed(brace + rest, chance)
    lines[at] = lines[at] if new is None else head + new
    return b"\n".join(lines)


def _json_changed(text: bytes, chance: random.Random) -> bytes | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    places = list(_places(content))
    if not places or chance.random() < 0.02:
        content = chance.choice(_VALUES)
    else:
        inside, key = chance.choice(places)
        kind = chance.random()
        if kind < 0.15:
            del inside[key]
        elif kind < 0.25 and isinstance(inside, dict):
            inside[chance.choice(("", "x", "\ud800", str(key) * 2))] = inside.pop(key)
        elif kind < 0.35:
            other, name = chance.choice(places)
            inside[key] = json.loads(json.dumps(other[name]))
        else:
            inside[key] = chance.choice(_VALUES)
    return json.dumps(content, ensure_ascii=chance.random() < 0.7).encode("utf-8", "surrogatepass")


def _places(content: object):
    pairs = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in pairs:
        yield content, key
        yield from _places(value)


_KINDS = (
    _flip,
    _cut,
    _repeat,
    _word,
    _word,
    _number,
    _number,
    _lines,
    _lines,
    _splice,
    _value,
    _value,
    _value,
)
