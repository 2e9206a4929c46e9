"""The safetensors format: headers written, and read as its own library reads them. Standard library only.

Source: the format's description in the safetensors project, and what the library (0.8) does with thousands of
generated headers (tests/node/test_headers.py). Where we are stricter stands in docs/how-to/weights.md.
"""

from __future__ import annotations

import io
import json
import os
import re
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.dtypes import SAFETENSORS_BITS
from lingctl.node.checkpoint.json_text import BeyondLimits, JsonText
from lingctl.node.files import opened
from lingctl.node.trouble import Trouble, shown

# What a conversion keeps beside them; where it is without an index, it was not finished.
RECEIPT = ".lingctl-convert.json"
LARGEST_HEADER = 100_000_000
# numpy has no more, and no kernel takes as many.
_MOST_DIMENSIONS = 64
# Room in memory for the tensors of one file: 60,000 of usual names. Ling-plus has 17,603 in all.
_MOST_HELD = 16_000_000
_EACH_HELD = 200
_LARGEST_SIZE = 2**64 - 1
_ALIGNMENT = 64
_METADATA = "__metadata__"
_DTYPES = {name: name for name in SAFETENSORS_BITS}
_USUAL_WRITER = "save it again with the safetensors library, in more and smaller files"

_COUNT = r"(?:0|[1-9][0-9]{0,18})"
# A tensor as all known writers put it, for speed; one that looks otherwise is read value by value.
_USUAL = re.compile(
    r"[ \t\n\r]*".join(
        (
            r'(?!"__metadata__")"([^"\\\x00-\x1f]{0,1000})"',
            r':|\{|"dtype"|:|"([A-Z0-9_]{1,20})"'.replace("|", r"[ \t\n\r]*"),
            r',|"shape"|:|\['.replace("|", r"[ \t\n\r]*"),
            rf"((?:{_COUNT}(?:[ \t\n\r]*,[ \t\n\r]*{_COUNT}){{0,63}})?)",
            r'\]|,|"data_offsets"|:|\['.replace("|", r"[ \t\n\r]*"),
            f"({_COUNT})",
            ",",
            f"({_COUNT})",
            r"\]",
            r"\}",
        )
    )
)


class Entry(NamedTuple):
    """One tensor of a file; ``start`` and ``end`` count bytes behind the header."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    start: int
    end: int


def encode_header(entries: Sequence[Entry]) -> bytes:
    """Length and JSON, padded with spaces so that the data begin at a multiple of 64 bytes."""
    # Piece by piece: as one object, the header of 20,000 tensors takes ten times its length.
    text = io.BytesIO()
    text.write(bytes(8) + f'{{"{_METADATA}":{{"format":"pt"}}'.encode())
    for entry in entries:
        text.write(_encoded(entry).encode())
    text.write(b"}")
    text.write(b" " * (-text.tell() % _ALIGNMENT))
    length = text.tell() - 8
    if length > LARGEST_HEADER:
        raise Trouble(
            f"{len(entries)} tensors are too many for one file",
            evidence=f"a header of {length} bytes",
            remedy="write more and smaller files: --max-shard-size",
            code="header-too-large",
        )
    text.seek(0)
    text.write(length.to_bytes(8, "little"))
    return text.getvalue()


def _encoded(entry: Entry) -> str:
    name = json.dumps(entry.name, ensure_ascii=False)
    shape = ",".join(map(str, entry.shape))
    return f',{name}:{{"dtype":"{entry.dtype}","shape":[{shape}],"data_offsets":[{entry.start},{entry.end}]}}'


def read_header(path: str) -> Tuple[List[Entry], int]:
    """The tensors of a file in the order of their data, and where the data begin.

    Raises:
        Trouble: cut off, a header that contradicts itself or the file's size, or no regular file.
        OSError: it cannot be read.
    """
    where = os.path.basename(path)
    with opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        length = int.from_bytes(os.read(descriptor, 8), "little")
        if size < 10 or length > size - 8:
            raise _bad(where, "no safetensors header, or a file cut off", f"{size} bytes, header of {length}")
        if length > LARGEST_HEADER:
            what = f"a header of {length} bytes, where the format allows {LARGEST_HEADER}"
            raise _bad(where, what, f"{size} bytes")
        try:
            entries = parse_header(_first(descriptor, length))
        except BeyondLimits as error:
            raise Trouble(
                f"its header is not looked into: {error}",
                where=where,
                remedy=_USUAL_WRITER,
                code="beyond-limits",
            ) from None
        except ValueError as error:
            raise _bad(where, f"malformed header: {error}", "") from None
    begin = 8 + length
    end = entries[-1].end if entries else 0
    if begin + end != size:
        raise _bad(
            where, "the file does not have the size its header gives", f"{size} bytes, {begin + end} wanted"
        )
    return entries, begin


def parse_header(read: Callable[[int], bytes]) -> List[Entry]:
    """The tensors that a header tells of, in the order of their data, which lie behind one another.

    Args:
        read: gives at most so many of its next bytes, and none at its end.

    Raises:
        ValueError: it is none, or tells of more than a model has.
    """
    text = JsonText(read)
    found: Dict[str, Entry] = {}
    shapes: Dict[Tuple[int, ...], Tuple[int, ...]] = {}
    held = 0
    metadata = False
    for _ in text.members():
        usual = text.match(_USUAL)
        if usual:
            name, dtype, sizes, start, end = usual.groups()
            shape = tuple(map(int, sizes.split(","))) if sizes else ()
            entry = Entry(name, dtype, shape, int(start), int(end))
        else:
            name = text.key()
            if name == _METADATA:
                if metadata:
                    raise ValueError(f"{_METADATA} is there twice")
                metadata = True
                _pass_metadata(text)
                continue
            try:
                entry = _entry(name, text)
            except BeyondLimits:
                raise
            except ValueError as error:
                raise ValueError(f"tensor '{shown(name)}': {error}") from None
        if entry.name in found:
            raise ValueError(f"the key '{shown(entry.name)}' is there twice")
        if entry.dtype not in _DTYPES:
            raise ValueError(f"tensor '{shown(entry.name)}': the unknown element type '{shown(entry.dtype)}'")
        # Most tensors of a model share their shape and element type with others.
        held += _EACH_HELD + len(entry.name) * (1 if entry.name.isascii() else 4)
        held += 0 if entry.shape in shapes else 50 * len(entry.shape)
        shape, dtype = shapes.setdefault(entry.shape, entry.shape), _DTYPES[entry.dtype]
        found[entry.name] = entry._replace(shape=shape, dtype=dtype)
        if held > _MOST_HELD:
            raise BeyondLimits(f"more than {len(found)} tensors, more than a model has in one file")
    text.end()
    entries = sorted(found.values(), key=lambda entry: (entry.start, entry.end))
    _check_places(entries)
    return entries


def _check_places(entries: Sequence[Entry]) -> None:
    end = 0
    for entry in entries:
        if entry.start != end or entry.end < end:
            raise ValueError(
                f"tensor '{shown(entry.name)}' does not begin where the one before it ends: its bytes are "
                f"{entry.start} to {entry.end}, the one before it ends at {end}"
            )
        end = entry.end
        count = 1
        for size in entry.shape:
            count *= size
            if count > _LARGEST_SIZE:
                break
        bits = count * SAFETENSORS_BITS[entry.dtype]
        if bits > _LARGEST_SIZE or bits != (entry.end - entry.start) * 8:
            raise ValueError(
                f"tensor '{shown(entry.name)}': {entry.end - entry.start} bytes do not hold shape "
                f"{list(entry.shape)} of {entry.dtype}"
            )


def _entry(name: str, text: JsonText) -> Entry:
    dtype = ""
    shape: Tuple[int, ...] = ()
    offsets: Tuple[int, ...] = ()
    seen: List[str] = []
    for _ in text.members():
        field = text.key()
        if field in seen:
            raise ValueError(f"{field} is there twice")
        if field == "dtype":
            dtype = text.string()
        elif field == "shape":
            shape = _counts(text, _MOST_DIMENSIONS, BeyondLimits(f"over 64 dimensions: '{shown(name)}'"))
        elif field == "data_offsets":
            offsets = _counts(text, 2, ValueError("more than two data_offsets"))
        else:
            # The library passes over what it does not know, also twice.
            text.pass_value()
            continue
        seen.append(field)
    if len(seen) != 3 or len(offsets) != 2:
        raise ValueError("lacks dtype, shape or data_offsets")
    return Entry(name, dtype, shape, *offsets)


def _counts(text: JsonText, most: int, too_many: ValueError) -> Tuple[int, ...]:
    found: List[int] = []
    for _ in text.items():
        if len(found) == most:
            raise too_many
        found.append(text.count())
    return tuple(found)


def _pass_metadata(text: JsonText) -> None:
    """An object whose values are strings, or null."""
    if text.peek() == "n":
        text.pass_value()
        return
    for _ in text.members():
        text.pass_string()
        text.colon()
        text.pass_string()


def _first(descriptor: int, length: int) -> Callable[[int], bytes]:
    """Reads no further than ``length`` bytes."""
    left = length

    def read(most: int) -> bytes:
        nonlocal left
        data = os.read(descriptor, min(most, left))
        left -= len(data)
        if not data and left:
            raise ValueError("the file ends in its header")
        return data

    return read


def _bad(where: str, what: str, evidence: str) -> Trouble:
    return Trouble(
        what,
        where=where,
        evidence=evidence,
        remedy="download or convert the file again",
        code="safetensors-damaged",
    )
