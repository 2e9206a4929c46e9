"""Writes one shard and proves it: streamed out, each piece read back and compared, synced, renamed."""

from __future__ import annotations

import os
import zlib
from contextlib import closing
from typing import Callable, Mapping, Optional

from lingctl.node import kernel
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.stream import BLOCK, TensorReader, damaged
from lingctl.node.convert.plan import Item, Shard
from lingctl.node.files import new_file, opened, part_name, write_at
from lingctl.node.trouble import Trouble

# Called with the bytes done since the last call; raises to stop.
Tick = Callable[[int], None]

_WRITE_BACK = 64 << 20


def write_shard(
    path: str, shard: Shard, placed: Mapping[Record, Record], verify: bool, written: Tick, proved: Tick
) -> None:
    """Write ``shard`` at ``path``: it appears complete, its bytes on disk and proved, or not at all.

    Args:
        placed: where the bytes of a record are now, of those that were inflated.

    Raises:
        Trouble: the source is damaged, or what was read back differs.
        OSError: the disk is full or fails.
    """
    with closing(TensorReader(placed)) as stream, new_file(path, sync=False) as descriptor:
        back = _ReadBack(descriptor, shard, part_name(path), proved) if verify else None
        _fill(descriptor, shard, stream, written, back)
        if back:
            back.need_header()
        os.fsync(descriptor)


def compare_shard(path: str, shard: Shard, placed: Mapping[Record, Record], proved: Tick) -> None:
    """Read a written shard and compare its header with the plan and each tensor with the source, bit for bit.

    Raises:
        Trouble: it differs; tensor and offset are named.
    """
    with closing(TensorReader(placed)) as stream, opened(path) as descriptor:
        back = _ReadBack(descriptor, shard, path, proved)
        back.need_header()
        for item in shard.items:
            for at, piece in stream.tensor(item.view, item.swapped):
                back.need_same(item, at, piece)


class _ReadBack:
    """Reads a shard and compares it with what should be in it, piece by piece."""

    def __init__(self, descriptor: int, shard: Shard, path: str, proved: Tick) -> None:
        self._descriptor = descriptor
        self._shard = shard
        self._path = path
        self._proved = proved
        self._buffer = bytearray(BLOCK)
        self._view = memoryview(self._buffer)

    def need_header(self) -> None:
        """Raises Trouble: size or header are not those that were planned."""
        size, header = os.fstat(self._descriptor).st_size, self._shard.header
        if size != self._shard.size or os.pread(self._descriptor, len(header), 0) != header:
            raise Trouble(
                "its header is not the one that was planned", where=self._path, code="output-differs"
            )

    def need_same(self, item: Item, at: int, piece: memoryview) -> None:
        """Raises Trouble: other bytes than ``piece`` are ``at`` bytes behind the beginning of the tensor."""
        place = len(self._shard.header) + item.entry.start + at
        for start in range(0, len(piece), BLOCK):
            wanted = piece[start : start + BLOCK]
            got = os.preadv(self._descriptor, [self._view[: len(wanted)]], place + start)
            # startswith compares with memcmp; memoryviews compare element by element.
            if got != len(wanted) or not self._buffer.startswith(wanted):
                raise _differs(self._path, item, place + start, bytes(self._view[:got]), bytes(wanted))
        self._proved(len(piece))


def _fill(
    descriptor: int, shard: Shard, stream: TensorReader, written: Tick, back: Optional[_ReadBack]
) -> None:
    kernel.reserve(descriptor, shard.size)
    write_at(descriptor, shard.header, 0)
    for record in shard.loose:
        crc = record.crc if record.crc is None else stream.crc(record)
        if crc != record.crc:
            names = ", ".join(repr(item.entry.name) for item in shard.items if item.record == record)
            raise damaged(record, names, crc or 0)
    begin = len(shard.header)
    pushed = 0
    for item in shard.items:
        checked = item.covers and item.record.crc is not None
        crc = 0
        for at, piece in stream.tensor(item.view, item.swapped):
            if checked:
                # Pieces of a covering tensor come in order, so one running CRC is that of the record.
                crc = zlib.crc32(piece, crc)
            write_at(descriptor, piece, begin + item.entry.start + at)
            written(len(piece))
            if back:
                # At once: the very bytes of which the CRC was taken, while they are at hand.
                back.need_same(item, at, piece)
        if checked and crc != item.record.crc:
            raise damaged(item.record, repr(item.entry.name), crc)
        end = begin + item.entry.end
        if end - pushed >= _WRITE_BACK:
            kernel.start_writing(descriptor, pushed, end - pushed)
            pushed = end


def _differs(path: str, item: Item, place: int, found: bytes, wanted: bytes) -> Trouble:
    first = next((n for n, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), len(found))
    return Trouble(
        f"tensor {item.entry.name!r} is not what the source holds",
        where=f"{path}: offset {place + first}",
        evidence=f"read {found[first : first + 8].hex()}, source has {wanted[first : first + 8].hex()}",
        remedy="check disk and memory of this machine; then convert again with --force",
        code="output-differs",
    )
