"""The safetensors format: headers written and read, an index verified. Standard library only.

Source: the format's description in the safetensors project, checked against safetensors 0.5 to 0.8:
8 bytes little-endian header length, JSON header of at most 100,000,000 bytes, data without holes.
"""

from __future__ import annotations

import json
import os
from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

from lingctl.node.checkpoint.dtypes import SAFETENSORS_BITS
from lingctl.node.trouble import Trouble

INDEX = "model.safetensors.index.json"
LARGEST_HEADER = 100_000_000
_LARGEST_INDEX = 64_000_000
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
    header: Dict[str, object] = {"__metadata__": {"format": "pt"}}
    for entry in entries:
        header[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [entry.start, entry.end],
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    if len(text) > LARGEST_HEADER:
        raise Trouble(
            f"a header of {len(text)} bytes is more than safetensors allows", code="header-too-large"
        )
    return len(text).to_bytes(8, "little") + text


def read_header(path: str) -> Tuple[List[Entry], int]:
    """The tensors of a file in the order of their data, and where the data begin.

    Raises:
        Trouble: cut off, or a header that contradicts itself or the file's size.
    """
    where = os.path.basename(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length > min(LARGEST_HEADER, size - 8):
            raise _bad(where, "no safetensors header", f"{size} bytes, header of {length}")
        try:
            header = json.loads(file.read(length).decode(), object_pairs_hook=no_duplicates)
            header.pop("__metadata__", None)
            entries = sorted(
                (_entry(name, value) for name, value in header.items()), key=lambda e: (e.start, e.end)
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _bad(where, "malformed safetensors header", str(error)) from None
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


class Folder(NamedTuple):
    """What a folder of safetensors holds; ``notes`` tell what is odd but harmless."""

    files: int
    tensors: int
    size: int
    notes: Tuple[str, ...]


def verify_folder(folder: str) -> Folder:
    """Check headers and index of a folder of safetensors. Quick: no tensor is read.

    Raises:
        Trouble: a file or a tensor is missing, unknown or in another place than the index says.
    """
    weight_map = _weight_map(folder)
    found: Dict[str, str] = {}
    total = 0
    files = sorted(set(weight_map.values())) if weight_map else _files(folder)
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise _missing(folder, f"the index names {name}, which is missing", "file-missing")
        for entry in read_header(path)[0]:
            if weight_map and weight_map.get(entry.name) != name:
                raise _bad(name, f"tensor {entry.name!r} is not listed for this file", "")
            found[entry.name] = name
            total += entry.end - entry.start
    lost = [name for name in weight_map if name not in found]
    if lost:
        raise _bad(INDEX, f"{len(lost)} tensors are in no file", ", ".join(lost[:5]))
    return Folder(len(files), len(found), total, _total_notes(folder, total))


def _weight_map(folder: str) -> Dict[str, str]:
    index = os.path.join(folder, INDEX)
    return read_weight_map(index) if os.path.exists(index) else {}


def _files(folder: str) -> List[str]:
    files = sorted(name for name in os.listdir(folder) if name.endswith(".safetensors"))
    if len(files) > 1:
        raise _missing(folder, f"{len(files)} files of safetensors but no {INDEX}", "index-missing")
    return files


def _total_notes(folder: str, total: int) -> Tuple[str, ...]:
    """Loaders ignore ``total_size``, and published files have it wrong at times: a note, no failure."""
    index = os.path.join(folder, INDEX)
    content = read_json(index) if os.path.exists(index) else None
    metadata = content.get("metadata") if isinstance(content, dict) else None
    said = metadata.get("total_size") if isinstance(metadata, dict) else None
    if said is None or said == total:
        return ()
    return (f"{INDEX} gives a total_size of {said}, the tensors have {total} bytes",)


def no_duplicates(pairs: Sequence[Tuple[str, object]]) -> Dict[str, object]:
    """For ``json.loads``: the same key twice is an error, where JSON lets the last win."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: Set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
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


def _missing(folder: str, what: str, code: str) -> Trouble:
    return Trouble(what, where=folder, remedy="download what is missing", code=code)
