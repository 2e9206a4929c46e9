"""The format of torch 0.1.12 to 1.5, which ``_use_new_zipfile_serialization=False`` still writes: pickles in
a row (a magic number, a version, the machine, the object, the keys of its storages), then the storages.

Each storage has the number of its elements before its bytes, and both are little-endian whatever machine
wrote them. Nothing in the file is a checksum.

Source: torch/serialization.py and torch/csrc/serialization.cpp, torch 0.1.12 to 2.13.
"""

from __future__ import annotations

import os
from typing import Callable, Dict, Tuple

from lingctl.node.checkpoint.dtypes import Dtype
from lingctl.node.checkpoint.pickles.budget import MEMO, Budget
from lingctl.node.checkpoint.pickles.builders import named_storage, sized
from lingctl.node.checkpoint.pickles.reader import read_pickle
from lingctl.node.checkpoint.pickles.stand_ins import Global, Opaque, Storage
from lingctl.node.checkpoint.record import Parsed, Record
from lingctl.node.checkpoint.refusals import damaged_file, malformed
from lingctl.node.checkpoint.window import Window
from lingctl.node.trouble import Trouble

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_HEAD = 64


def begins_pickle_row(head: bytes) -> bool:
    """Whether a file that begins like this is one: its first value, in any protocol, is the magic number."""
    number = _MAGIC.to_bytes(10, "little")
    return head.startswith(b"L%d" % _MAGIC) or (
        head.startswith(b"\x80") and b"\x8a\x0a" + number in head[:_HEAD]
    )


def read_pickle_row(descriptor: int, path: str, hear: Callable[[bytes], object]) -> Parsed:
    """Read the pickles, and find the storages behind them.

    Args:
        descriptor: of the file.
        path: of it.
        hear: is told the bytes of the pickles.

    Raises:
        Trouble: cut off, contradicting itself, or asking for something to be run.
    """
    window = Window(descriptor, 0, os.fstat(descriptor).st_size, "")
    budget = Budget()
    storages = _Storages()
    if read_pickle(window, _none_outside, budget) != _MAGIC:
        raise malformed("it does not begin with torch's magic number")
    version = read_pickle(window, _none_outside, budget)
    if version != _VERSION:
        raise Trouble(
            "a version of the old format that is not known",
            evidence=f"{version!r}, not {_VERSION}" if isinstance(version, int) else "",
            code="legacy-format",
        )
    read_pickle(window, _none_outside, budget)
    root = read_pickle(window, storages.of, budget)
    keys = read_pickle(window, _none_outside, budget)
    if not isinstance(keys, (list, tuple)):
        raise malformed("the keys of its storages are no list")
    end = window.place
    hear_all(descriptor, 0, end, hear)
    records: Dict[str, Record] = {}
    for key in keys:
        budget.spend(4 * MEMO)
        if not isinstance(key, str) or key not in storages.known or key in records:
            raise malformed("a key of a storage that is not in it, or twice")
        dtype, size = storages.known[key]
        member = f"storage {key[:40]}"
        records[key] = record_at(descriptor, path, member, end, dtype.size, size)
        end = records[key].offset + size
    return Parsed(root, lambda key: _found(records, key), False)


def hear_all(descriptor: int, start: int, size: int, hear: Callable[[bytes], object]) -> None:
    """Tell all bytes of a part of a file."""
    for at in range(0, size, 1 << 20):
        hear(os.pread(descriptor, min(1 << 20, size - at), start + at))


def record_at(descriptor: int, path: str, member: str, place: int, width: int, size: int) -> Record:
    """The record of a storage that begins with its number of elements; ``size`` -1 takes what it says.

    Raises:
        Trouble: the file ends before, or it says another number.
    """
    where = f"{member}, offset {place}"
    head = os.pread(descriptor, 8, place)
    count = int.from_bytes(head, "little", signed=True)
    found = count * width
    left = os.fstat(descriptor).st_size - place - 8
    if len(head) < 8 or found < 0 or found > left:
        raise Trouble(
            "the file ends before this storage: a download that was cut off, most likely",
            where=where,
            evidence=f"{max(found, 0) if len(head) == 8 else 8} bytes wanted, {max(0, left)} left",
            remedy="compare its size with the publisher's and download it again",
            code="record-size",
        )
    if size not in (-1, found):
        what = "the storage has another size than the object in the file says"
        evidence = f"{found} bytes in the file, {size} wanted"
        raise damaged_file(what, "record-size", where=where, evidence=evidence)
    return Record(path, member, place + 8, found, 0, None)


class _Storages:
    """The storages that the object names, by key: element type and bytes, as they were first met."""

    def __init__(self) -> None:
        self.known: Dict[str, Tuple[Dtype, int]] = {}

    def of(self, identity: object) -> object:
        """That of ``('storage', class, key, location, count, view)``; the class of a ``('module', ...)``."""
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            return identity[1] if isinstance(identity[1], Global) else Opaque("a module")
        if not isinstance(identity, tuple) or len(identity) != 6 or identity[0] != "storage":
            raise malformed("a persistent id is not that of a storage")
        _, kind, key, _location, count, part = identity
        key, dtype, name, whole = named_storage(kind, key, count)
        dtype = sized(dtype, name)
        known, size = self.known.setdefault(key, (dtype, whole))
        if (known.size, size) != (dtype.size, whole):
            raise malformed(f"storage {key[:40]} has two sizes")
        storage = Storage(key, known, whole, 0, whole)
        return storage if part is None else part_of_storage(storage, part)


def part_of_storage(root: Storage, part: object) -> Storage:
    """The storage that is a part of another: ``(key, offset, elements)``, as torch before 0.4 had them.

    Raises:
        Trouble: it reaches outside.
    """
    if not (isinstance(part, (tuple, list)) and len(part) == 3):
        raise malformed("a part of a storage that is none")
    start, count = part[1], part[2]
    if type(start) is not int or type(count) is not int or start < 0 or count < 0:
        raise malformed("a part of a storage without place or size")
    width = root.dtype.size
    if (start + count) * width > root.size:
        raise malformed("a part of a storage reaches outside of it")
    return root._replace(start=root.start + start * width, size=count * width)


def _found(records: Dict[str, Record], key: str) -> Record:
    if key not in records:
        raise damaged_file(f"storage {key[:40]} is not in the file", "record-missing")
    return records[key]


def _none_outside(identity: object) -> object:
    raise malformed("it refers to something outside where nothing is")
