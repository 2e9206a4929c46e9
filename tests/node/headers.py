"""Headers of safetensors files, right ones and wrong ones, made from a seed.

Most are a right header with up to two things changed, in its values or in its text; the others are put
together from parts that headers have. So what lies between right and wrong is met often.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable

WIDTHS = {
    "F64": 64,
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "I64": 64,
    "I32": 32,
    "I16": 16,
    "I8": 8,
    "U8": 8,
    "BOOL": 8,
    "U16": 16,
    "U32": 32,
    "U64": 64,
    "C64": 64,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
}
_NAMES = ("a", "model.layers.0.x", "", "中文", "😀", "a/b", "a b", "\x7f", "é", "__metadata", "x" * 300)
_NO_DTYPES = ("f32", "C128", "F8_E4M3FN", "I4", "Q8", "", "F32 ", "BF16\\u0000")
_NUMBERS = (
    *("0", "1", "-1", "-0", "1.0", "1e0", "1E+2", "01", "+1", ".5", "1.", "0x1", "true", '"1"', "null"),
    *("18446744073709551615", "18446744073709551616", "9223372036854775808", "99999999999999999999"),
    *("-9223372036854775808", "9" * 310, "1e308", "1e309", "-1e400", "1e-400", "NaN", "Infinity"),
)
_STRINGS = (
    *('"x"', '""', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00"', '"\\ud800\\u0041"', '"\\ud8'),
    *('"\\u12"', '"\\x41"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\n"', '"\x01"', '"\x7f"', '"\x00"', '"a', '"\\'),
)
_OTHERS = ("{}", "[]", "null", "true", "tru", "[1,]", "[,]", '{"a":1,}', "{1:2}", '{"a" 1}', "[[[]]]", "//")
_METADATA = (
    *('{"format":"pt"}', '{"format":"pt"}', "{}", "null", '{"a":"1","a":"2"}', '{"a":"\\u00e9"}'),
    *('{"a":1}', '{"a":null}', "[]", '"x"', '{"a":{}}'),
)
_SPACES = ("", "", "", " ", "\n", "\t", "\r", "  \n ", "\x0b", "\x0c", "\u00a0", "\ufeff", "/**/")


def made_files(seed: int, count: int) -> list[bytes]:
    """Whole files: header and data."""
    chance = random.Random(seed)
    makers: tuple[Callable[[random.Random], bytes], ...] = (_changed, _changed, _put_together, _text_changed)
    return [chance.choice(makers)(chance) for _ in range(count)]


def _right(chance: random.Random) -> tuple[list[list[object]], int]:
    """Tensors (name, dtype, shape, begin, end) that lie behind one another, and bytes of their data."""
    tensors: list[list[object]] = []
    at = 0
    for number in range(chance.choice((0, 1, 1, 2, 3, 5))):
        dtype = chance.choice(tuple(WIDTHS))
        shape = [chance.choice((0, 1, 1, 2, 3, 4, 8)) for _ in range(chance.choice((0, 1, 1, 2, 2, 3)))]
        bits = WIDTHS[dtype]
        for size in shape:
            bits *= size
        if bits % 8:
            shape, bits = [*shape, 8], bits * 8
        name = chance.choice(_NAMES) + str(number)
        tensors.append([name, dtype, shape, at, at + bits // 8])
        at += bits // 8
    chance.shuffle(tensors)
    return tensors, at


def _file(text: bytes, data: int, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data)


def _changed(chance: random.Random) -> bytes:
    tensors, size = _right(chance)
    data, length = size, None
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        kind = chance.randrange(12)
        if kind == 0:
            data = max(0, data + chance.choice((-1, 1, -8, 8)))
        elif kind == 1:
            length = chance.choice((0, 1, 2, 7, 2**32, 2**63, 2**64 - 1, 100_000_001))
        elif not tensors:
            continue
        elif kind in (2, 3):
            one = chance.choice(tensors)
            field = chance.choice((3, 4))
            one[field] = max(0, int(str(one[field])) + chance.choice((-4, -1, 1, 2, 4, 8)))
        elif kind == 4:
            chance.choice(tensors)[1] = chance.choice((*WIDTHS, *_NO_DTYPES))
        elif kind == 5:
            shape = chance.choice(tensors)[2]
            assert isinstance(shape, list)
            shape.insert(chance.randint(0, len(shape)), chance.choice((0, 1, 2, 2**32, 2**63, 2**64 - 1)))
        elif kind == 6:
            tensors.append([*chance.choice(tensors)[:2], [0], size, size])
        elif kind == 7:
            tensors.remove(chance.choice(tensors))
        elif kind == 8:
            one = chance.choice(tensors)
            one[3], one[4] = one[4], one[3]
        elif kind == 9:
            tensors.append(["__metadata__", *tensors[0][1:]])
        elif kind == 10:
            at = chance.choice((0, size, size + 8))
            tensors.append([f"empty{chance.random()}", "U8", [0], at, at])
        else:
            chance.choice(tensors)[0] = chance.choice(_NAMES)
    return _file(_written(chance, tensors), data, length)


def _written(chance: random.Random, tensors: list[list[object]]) -> bytes:
    """As some writer puts it: compact or not, in any order of the fields, escaped or not."""
    pairs = []
    escaped = chance.random() < 0.3
    separators = chance.choice(((",", ":"), (", ", ": "), (" ,\n", "\t: ")))
    for name, dtype, shape, begin, end in tensors:
        fields: list[tuple[str, object]] = [("dtype", dtype), ("shape", shape)]
        fields.append(("data_offsets", [begin, end]))
        if chance.random() < 0.3:
            chance.shuffle(fields)
        if chance.random() < 0.1:
            fields.append((chance.choice(("strides", "dtype", "x")), chance.choice(("F32", [1], None, 1.5))))
        inside = separators[0].join(
            f"{json.dumps(key)}{separators[1]}{json.dumps(value, separators=separators)}"
            for key, value in fields
        )
        pairs.append(f"{json.dumps(name, ensure_ascii=escaped)}{separators[1]}{{{inside}}}")
    if chance.random() < 0.5:
        value = chance.choice(_METADATA)
        pairs.insert(chance.randint(0, len(pairs)), f'"__metadata__":{value}')
    text = "{" + separators[0].join(pairs) + "}"
    return (text + " " * chance.choice((0, 0, 1, 7))).encode("utf-8", "surrogatepass")


def _put_together(chance: random.Random) -> bytes:
    """One tensor of one byte, or no tensor, with an odd value in some place."""
    odd = chance.choice((*_NUMBERS, *_STRINGS, *_OTHERS, "[" * 126 + "]" * 126, "[" * 124 + "]" * 124))
    places = (
        f'{{"a":{odd}}}',
        f'{{"a":{{"dtype":"U8","shape":[{odd}],"data_offsets":[0,1]}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1,{odd}],"data_offsets":[0,1]}}}}',
        f'{{"a":{{"dtype":"U8","shape":{odd},"data_offsets":[0,1]}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[{odd},1]}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,{odd}]}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":{odd}}}}}',
        f'{{"a":{{"dtype":{odd},"shape":[1],"data_offsets":[0,1]}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":{odd}}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1],{odd}:1}}}}',
        f'{{{odd}:{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},"__metadata__":{odd}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},"__metadata__":{{"k":{odd}}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},"__metadata__":{{{odd}:"v"}}}}',
        f'{{"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}{odd}',
        odd,
    )
    return _file(chance.choice(places).encode("utf-8", "surrogatepass"), chance.choice((1, 1, 1, 0)))


def _text_changed(chance: random.Random) -> bytes:
    """A right header with a byte or two put in, taken out or changed, or white space where it may not be."""
    tensors, size = _right(chance)
    text = bytearray(_written(chance, tensors))
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(3)
        if kind == 0:
            text[at:at] = chance.choice((*_SPACES, ",", "}", "]", '"', "\\", "0", "-")).encode()
        elif kind == 1:
            del text[at : at + chance.choice((1, 2, 5))]
        elif at < len(text):
            text[at] = chance.randrange(256)
    return _file(bytes(text), size)
