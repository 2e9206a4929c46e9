"""The format of torch before 0.1.12: a tar file of pickles with raw numbers between them.

``storages`` has the number of storages, each as a pickle (key, location, class), a count and its bytes, and
then the parts of them that are storages themselves; ``tensors`` the number of tensors, each as a pickle (key,
key of the storage, class) and its shape; ``pickle`` the object, in which keys stand for tensors.

Source: torch/serialization.py of 0.1.9 and 2.13 (which still reads it).
"""

from __future__ import annotations

import os
import struct
from typing import Callable, Dict, NamedTuple, Tuple

from lingctl.node.checkpoint.formats.pickle_row import hear_all, part_of_storage, record_at
from lingctl.node.checkpoint.pickles.budget import MEMO, OBJECT, Budget
from lingctl.node.checkpoint.pickles.builders import sized, storage_class, view
from lingctl.node.checkpoint.pickles.reader import read_pickle
from lingctl.node.checkpoint.pickles.stand_ins import Global, Storage
from lingctl.node.checkpoint.record import Parsed, Record
from lingctl.node.checkpoint.refusals import malformed, refused
from lingctl.node.checkpoint.window import Window
from lingctl.node.trouble import Trouble

_BLOCK = 512
_MOST_MEMBERS = 64
_LONGEST_HEADER = 65_536
_NEEDED = ("storages", "tensors", "pickle")
_MOST_DIMENSIONS = 64


class _TarMember(NamedTuple):
    """Where the bytes of a member lie in the file."""

    start: int
    size: int


def is_tar(head: bytes) -> bool:
    """Whether a file that begins like this is a tar file. torch looks at this before anything else."""
    return head[257:262] == b"ustar"


def read_tar(descriptor: int, path: str, hear: Callable[[bytes], object]) -> Parsed:
    """Read the members and find the storages.

    Args:
        descriptor: of the file.
        path: of it.
        hear: is told what describes the tensors.

    Raises:
        Trouble: cut off, contradicting itself, or asking for something to be run.
    """
    members = _members(descriptor)
    lacking = [name for name in _NEEDED if name not in members]
    if lacking:
        raise Trouble(
            f"a tar file without {', '.join(lacking)}: no checkpoint of an old torch",
            evidence=", ".join(list(members)[:5]),
            remedy="unpack it, and give the folder of the weights",
            code="not-a-checkpoint",
        )
    budget = Budget()
    reader = _Reader(descriptor, path, members, budget)
    reader.storages()
    reader.tensors()
    for name in ("tensors", "pickle"):
        hear_all(descriptor, *members[name], hear)
    hear(repr(sorted(reader.records.values())).encode())
    root = read_pickle(reader.window("pickle"), reader.of, budget)
    return Parsed(root, lambda key: reader.records[key], False)


class _Reader:
    def __init__(self, descriptor: int, path: str, members: Dict[str, _TarMember], budget: Budget) -> None:
        self._descriptor = descriptor
        self._path = path
        self._members = members
        self._budget = budget
        self._objects: Dict[int, object] = {}
        self.records: Dict[str, Record] = {}

    def window(self, name: str) -> Window:
        start, size = self._members[name]
        return Window(self._descriptor, start, size, f"member {name}")

    def storages(self) -> None:
        window = self.window("storages")
        start = self._members["storages"].start
        for _ in range(self._count(window)):
            key, _location, kind = self._three(window)
            dtype = sized(*storage_class(kind))
            member = f"storages, key {key}"
            place = start + window.place
            record = record_at(self._descriptor, self._path, member, place, dtype.size, -1)
            window.jump(8 + record.size)
            self.records[str(key)] = record
            self._keep(key, Storage(str(key), dtype, record.size, 0, record.size))
        parts = read_pickle(window, self.of, self._budget)
        if not isinstance(parts, (list, tuple)):
            raise malformed("the parts of storages are no list")
        for part in parts:
            if not (isinstance(part, (tuple, list)) and len(part) == 4):
                raise malformed("a part of a storage that is none")
            root = self._objects.get(part[1]) if type(part[1]) is int else None
            if type(part[0]) is not int or not isinstance(root, Storage):
                raise malformed("a part of a storage that is not there")
            self._keep(part[0], part_of_storage(root, part[1:]))

    def tensors(self) -> None:
        window = self.window("tensors")
        for _ in range(self._count(window)):
            key, base, _kind = self._three(window)
            (dimensions,) = struct.unpack("<i", window.take(4))
            # It once had eight bytes for this number.
            window.skip(4)
            if not 0 <= dimensions <= _MOST_DIMENSIONS:
                raise malformed(f"a tensor of {dimensions} dimensions")
            shape = struct.unpack(f"<{dimensions}q", window.take(8 * dimensions))
            strides = struct.unpack(f"<{dimensions}q", window.take(8 * dimensions))
            (offset,) = struct.unpack("<q", window.take(8))
            storage = self._objects.get(base) if type(base) is int else None
            if base is None or isinstance(storage, Storage):
                self._keep(key, _tensor(storage, offset, shape, strides))
            else:
                raise malformed("a tensor whose storage is not there")

    def of(self, identity: object) -> object:
        """The tensor or storage that a key stands for; the class of a (class, file, source)."""
        if isinstance(identity, tuple) and identity and isinstance(identity[0], Global):
            return identity[0]
        if isinstance(identity, str) and identity.isascii() and identity.isdigit() and len(identity) < 24:
            found = self._objects.get(int(identity))
            if found is not None:
                return found
        raise malformed("it refers to a tensor that is not there")

    def _count(self, window: Window) -> int:
        count = read_pickle(window, self.of, self._budget)
        if type(count) is not int or not 0 <= count <= window.left:
            raise malformed("a number of storages or tensors that cannot be")
        return count

    def _three(self, window: Window) -> Tuple[int, object, object]:
        values = read_pickle(window, self.of, self._budget)
        if not (isinstance(values, tuple) and len(values) == 3 and type(values[0]) is int):
            raise malformed("a storage or tensor without key")
        return values[0], values[1], values[2]

    def _keep(self, key: int, value: object) -> None:
        self._budget.spend(3 * MEMO + 2 * OBJECT)
        if key in self._objects:
            raise malformed("a key of a storage or tensor is there twice")
        # A key of 64 bits at most: longer ones can be chosen so that all hash alike.
        if abs(key) >= 2**64:
            raise malformed("a key of more than 64 bits")
        self._objects[key] = value


def _tensor(storage: object, offset: int, shape: Tuple[int, ...], strides: Tuple[int, ...]) -> object:
    if storage is None:
        raise refused("has a tensor without storage")
    return view(storage, None, offset, shape, strides)


def _members(descriptor: int) -> Dict[str, _TarMember]:
    size = os.fstat(descriptor).st_size
    found: Dict[str, _TarMember] = {}
    place = 0
    said: Dict[str, str] = {}
    for _ in range(_MOST_MEMBERS):
        head = os.pread(descriptor, _BLOCK, place)
        if not head.strip(b"\0"):
            return found
        if len(head) < _BLOCK or not is_tar(head):
            break
        length = _octal(head[124:136])
        kind = head[156:157]
        if kind in (b"x", b"g") and 0 <= length <= _LONGEST_HEADER:
            said = _pax(os.pread(descriptor, length, place + _BLOCK)) if kind == b"x" else {}
        else:
            if said.get("size", "").isdigit() and len(said["size"]) < 20:
                length = int(said["size"])
            name = said.get("path", head[:100].partition(b"\0")[0].decode("utf-8", "replace"))[:100]
            if name in found:
                raise _damaged(f"the member {name!r} is there twice")
            if kind in (b"0", b"\0"):
                found[name] = _TarMember(place + _BLOCK, length)
            said = {}
        if not 0 <= length <= size - place - _BLOCK:
            raise _damaged(f"a member of {length} bytes at offset {place} leaves the file")
        place += _BLOCK + -(-length // _BLOCK) * _BLOCK
    raise _damaged(f"no tar header at offset {place}, or more than {_MOST_MEMBERS} members")


def _octal(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    return int(text, 8) if text and not text.strip(b"01234567") else -1


def _pax(text: bytes) -> Dict[str, str]:
    """Lines ``length key=value``, as Python's tarfile writes them for what the old fields cannot hold."""
    found: Dict[str, str] = {}
    for line in text.split(b"\n"):
        key, _, value = line.partition(b" ")[2].partition(b"=")
        if key in (b"size", b"path"):
            found[key.decode()] = value.decode("utf-8", "replace")
    return found


def _damaged(what: str) -> Trouble:
    return Trouble(
        what,
        remedy="compare its size with the publisher's and download it again",
        code="tar-malformed",
    )
