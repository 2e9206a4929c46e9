"""The bytes of tensors and of their records, piece by piece: from a reused buffer, or inflated."""

from __future__ import annotations

import array
import os
import zlib
from typing import Dict, Iterator, Mapping, Optional, Tuple

from lingctl.node import kernel
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.views import View, pieces
from lingctl.node.checkpoint.window import inflate
from lingctl.node.files import open_regular, opened, read_at
from lingctl.node.trouble import Trouble

# Large enough for few system calls, small enough that two stay in a core's cache, to be written and compared.
BLOCK = 1 << 18
_AHEAD = 64 << 20


class TensorReader:
    """Reads tensors. One per thread; not to be shared.

    Args:
        placed: where the bytes of a record are now, of those that were inflated.
    """

    def __init__(self, placed: Optional[Mapping[Record, Record]] = None) -> None:
        self._placed = placed or {}
        self._files: Dict[str, int] = {}
        self._buffer = bytearray(BLOCK)
        self._view = memoryview(self._buffer)
        self._ahead: Dict[str, int] = {}

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def tensor(self, view: View, swapped: bool) -> Iterator[Tuple[int, memoryview]]:
        """Offset within the tensor and bytes, until all are given. Bytes are valid until the next step.

        Raises:
            Trouble: the file ends before the record does.
        """
        if view.contiguous:
            found = self._range(view.record, view.begin, view.size)
        else:
            found = pieces(view, lambda at, count: self._read(view.record, at, count), BLOCK)
        if not swapped or view.dtype.swap == 1:
            return found
        return ((at, _swap(piece, view.dtype.swap)) for at, piece in found)

    def crc(self, record: Record) -> int:
        """CRC-32 of a whole record."""
        crc = 0
        for _, piece in self._range(record, 0, record.size):
            crc = zlib.crc32(piece, crc)
        return crc

    def _range(self, record: Record, start: int, count: int) -> Iterator[Tuple[int, memoryview]]:
        for at in range(0, count, BLOCK):
            yield at, self._read(record, start + at, min(BLOCK, count - at))

    def _read(self, record: Record, start: int, count: int) -> memoryview:
        """``count`` bytes, at most a block, from ``start`` within the record."""
        record = self._placed.get(record, record)
        descriptor = self._files.get(record.path)
        if descriptor is None:
            descriptor = self._files[record.path] = open_regular(record.path)
        offset = record.offset + start
        self._look_ahead(record.path, descriptor, offset + count)
        target = self._view[:count]
        got = read_at(descriptor, target, offset)
        if got < count:
            what = "the file ends within this record: it was changed while it was read"
            raise Trouble(what, where=_place(record, offset + got), code="source-changed")
        return target

    def _look_ahead(self, path: str, descriptor: int, position: int) -> None:
        asked = self._ahead.get(path, 0)
        if position + _AHEAD // 2 > asked or position + 2 * _AHEAD < asked:
            kernel.read_ahead(descriptor, position, _AHEAD)
            self._ahead[path] = position + _AHEAD


def _swap(piece: memoryview, width: int) -> memoryview:
    code = {2: "H", 4: "I", 8: "Q"}[width]
    values = array.array(code)
    values.frombytes(piece)
    values.byteswap()
    return memoryview(values).cast("B")


def inflated(record: Record, tensors: str = "") -> Iterator[bytes]:
    """The bytes of a deflated record; at most one more than it claims, so that a bomb is not unpacked.

    Args:
        tensors: that lie in it, for messages; empty where they are not known.

    Raises:
        Trouble: they cannot be inflated, or do not have the recorded size and CRC-32.
    """
    size = crc = 0
    with opened(record.path) as descriptor:
        where = _place(record, record.offset)
        for piece in inflate(
            descriptor, record.offset, record.packed, record.size + 1, where, "record-damaged"
        ):
            crc = zlib.crc32(piece, crc)
            size += len(piece)
            yield piece
    if size != record.size or record.crc not in (None, crc):
        raise damaged(record, tensors, crc)


def _place(record: Record, offset: int) -> str:
    return f"{os.path.basename(record.path)}: member {record.member}, offset {offset}"


def damaged(record: Record, tensors: str, crc: int) -> Trouble:
    """The bytes of a record are not those that were saved: another CRC-32 or, inflated, another size."""
    named = f"tensor {tensors}" if tensors else "a tensor"
    return Trouble(
        f"{named} is damaged: the bytes of its record do not have the recorded CRC-32",
        where=_place(record, record.offset),
        evidence=f"{record.size} bytes, CRC {crc:08x}, recorded {record.crc or 0:08x}",
        remedy="download the file again and compare its SHA-256 with the publisher's",
        code="record-damaged",
    )
