"""The safetensors format: headers written and read, an index verified. Standard library only.

Source: the format's description in the safetensors project, checked against safetensors 0.5 to 0.8:
8 bytes little-endian header length, JSON header of at most 100,000,000 bytes, data without holes.
"""

from __future__ import annotations

import json
import os
from typing import Dict, List, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.dtypes import SAFETENSORS_BITS
from lingctl.node.trouble import Trouble

INDEX = "model.safetensors.index.json"
# What a conversion keeps beside them; where it is without an index, it was not finished.
RECEIPT = ".lingctl-convert.json"
# The format allows 100 MB. This is room for 30,000 tensors in one file (Ling-plus has 17,603 in all), and
# little memory for a hostile one: JSON grows thirtyfold when it is read.
LARGEST_HEADER = 4_000_000
_LARGEST_INDEX = 4_000_000
_ALIGNMENT = 64


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
    pieces = ['{"__metadata__":{"format":"pt"}']
    pieces += map(_encoded, entries)
    text = (",".join(pieces) + "}").encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    if len(text) > LARGEST_HEADER:
        raise Trouble(
            f"{len(entries)} tensors are too many for one file",
            evidence=f"a header of {len(text)} bytes",
            remedy="write more and smaller files: --max-shard-size",
            code="header-too-large",
        )
    return len(text).to_bytes(8, "little") + text


def _encoded(entry: Entry) -> str:
    name = json.dumps(entry.name, ensure_ascii=False)
    shape = ",".join(map(str, entry.shape))
    return f'{name}:{{"dtype":"{entry.dtype}","shape":[{shape}],"data_offsets":[{entry.start},{entry.end}]}}'


def read_header(path: str) -> Tuple[List[Entry], int]:
    """The tensors of a file in the order of their data, and where the data begin.

    Raises:
        Trouble: cut off, or a header that contradicts itself or the file's size.
    """
    where = os.path.basename(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length > size - 8:
            raise _bad(where, "no safetensors header, or a file cut off", f"{size} bytes, header of {length}")
        if length > LARGEST_HEADER:
            raise _bad(where, f"a header of {length} bytes is more than a model needs", f"{size} bytes")
        try:
            header = json.loads(file.read(length).decode(), object_pairs_hook=no_duplicates)
            header.pop("__metadata__", None)
            entries = sorted(
                (_entry(name, value) for name, value in header.items()), key=lambda e: (e.start, e.end)
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _bad(where, f"malformed header: {error}", "") from None
    begin = 8 + length
    end = 0
    for entry in entries:
        if entry.start != end:
            raise _bad(
                where, f"tensor {entry.name!r} does not begin where the one before it ends", str(entry)
            )
        end = entry.end
    if begin + end != size:
        raise _bad(
            where, "the file does not have the size its header gives", f"{size} bytes, {begin + end} wanted"
        )
    return entries, begin


def read_json(path: str) -> object:
    """A small JSON file; the same key twice is an error.

    Raises:
        Trouble: too large, or not JSON.
    """
    where = os.path.basename(path)
    if os.path.getsize(path) > _LARGEST_INDEX:
        raise Trouble(f"more than {_LARGEST_INDEX} bytes", where=where, code="index-malformed")
    with open(path, "rb") as file:
        try:
            return json.loads(file.read().decode(), object_pairs_hook=no_duplicates)
        except (ValueError, RecursionError) as error:
            raise Trouble(
                f"not valid JSON: {error}", where=where, remedy="download it again", code="index-malformed"
            ) from None


def read_weight_map(path: str) -> Dict[str, str]:
    """The ``weight_map`` of an index: tensor name to file name, both checked to be plain.

    Raises:
        Trouble: no such map, or a file name that leaves the folder.
    """
    where = os.path.basename(path)
    content = read_json(path)
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise Trouble("no weight_map in it", where=where, remedy="download it again", code="index-malformed")
    for name, file in weight_map.items():
        if not isinstance(file, str) or file in ("", ".", "..") or "/" in file or "\0" in file:
            raise Trouble(f"tensor {name!r} is said to be in {file!r}", where=where, code="index-malformed")
    return weight_map


def no_duplicates(pairs: Sequence[Tuple[str, object]]) -> Dict[str, object]:
    """For ``json.loads``: the same key twice is an error, where JSON lets the last win."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _entry(name: str, value: Dict[str, object]) -> Entry:
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not (isinstance(dtype, str) and isinstance(shape, list) and isinstance(offsets, list)):
        raise ValueError(f"tensor {name!r} lacks dtype, shape or data_offsets")
    numbers = [*shape, *offsets]
    if len(offsets) != 2 or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"tensor {name!r} has a shape or offsets that cannot be")
    if dtype not in SAFETENSORS_BITS:
        raise ValueError(f"tensor {name!r} has the unknown element type {dtype!r}")
    count = 1
    for size in shape:
        count *= size
    start, end = offsets
    if (end - start) * 8 != count * SAFETENSORS_BITS[dtype]:
        raise ValueError(f"tensor {name!r}: {end - start} bytes do not hold shape {shape} of {dtype}")
    return Entry(name, dtype, tuple(shape), start, end)


def _bad(where: str, what: str, evidence: str) -> Trouble:
    return Trouble(
        what,
        where=where,
        evidence=evidence,
        remedy="download or convert the file again",
        code="safetensors-damaged",
    )
