"""Writes one shard and proves it: streamed out, read back, synced, renamed."""

from __future__ import annotations

import os
import zlib
from typing import Callable

from lingctl.node import kernel
from lingctl.node.checkpoint.stream import BLOCK, TensorReader, damaged
from lingctl.node.convert.plan import Item, Shard
from lingctl.node.files import create, open_regular, part_of
from lingctl.node.trouble import Trouble

# Called with the bytes done since the last call; raises to stop.
Tick = Callable[[int], None]

_WRITE_BACK = 64 << 20


def write_shard(path: str, shard: Shard, verify: bool, written: Tick, proved: Tick) -> None:
    """Write ``shard`` at ``path``: it appears complete, its bytes on disk and proved, or not at all.

    Raises:
        Trouble: the source is damaged, or what was read back differs.
        OSError: the disk is full or fails.
    """
    stream = TensorReader()
    try:
        with part_of(path, sync=False) as part:
            descriptor = create(part)
            try:
                _fill(descriptor, shard, stream, written)
                if verify:
                    # While the disk is still writing: what is read back comes from memory before and after.
                    compare_shard(part, shard, proved)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    finally:
        stream.close()


def compare_shard(path: str, shard: Shard, proved: Tick) -> None:
    """Read a written shard and compare its header with the plan and each tensor with the source, bit for bit.

    Raises:
        Trouble: it differs; tensor and offset are named.
    """
    stream = TensorReader()
    descriptor = open_regular(path)
    try:
        begin = len(shard.header)
        if os.pread(descriptor, begin, 0) != shard.header or os.fstat(descriptor).st_size != shard.size:
            raise Trouble("its header is not the one that was planned", where=path, code="output-differs")
        for item in shard.items:
            _compare(descriptor, begin + item.entry.start, item, stream, path, proved)
    finally:
        os.close(descriptor)
        stream.close()


def _fill(descriptor: int, shard: Shard, stream: TensorReader, written: Tick) -> None:
    kernel.reserve(descriptor, shard.size)
    _write(descriptor, memoryview(shard.header), 0)
    for record in shard.loose:
        crc = record.crc if record.crc is None else stream.crc(record)
        if crc != record.crc:
            names = ", ".join(repr(item.entry.name) for item in shard.items if item.record == record)
            raise damaged(record, names, crc or 0)
    begin = len(shard.header)
    pushed = 0
    for item in shard.items:
        _copy(descriptor, begin + item.entry.start, item, stream, written)
        end = begin + item.entry.end
        if end - pushed >= _WRITE_BACK:
            kernel.start_writing(descriptor, pushed, end - pushed)
            pushed = end


def _copy(descriptor: int, place: int, item: Item, stream: TensorReader, written: Tick) -> None:
    checked = item.covers and item.record.crc is not None
    # Pieces of a covering tensor come in order, so one running CRC is that of the record.
    with_crc = checked and not item.swapped
    crc = 0
    for at, piece in stream.tensor(item.view, item.swapped):
        if with_crc:
            crc = zlib.crc32(piece, crc)
        _write(descriptor, piece, place + at)
        written(len(piece))
    if checked and item.swapped:
        crc = stream.crc(item.record)
    if checked and crc != item.record.crc:
        raise damaged(item.record, repr(item.entry.name), crc)


def _write(descriptor: int, piece: memoryview, place: int) -> None:
    done = 0
    while done < len(piece):
        done += os.pwrite(descriptor, piece[done:], place + done)


def _compare(descriptor: int, place: int, item: Item, stream: TensorReader, path: str, proved: Tick) -> None:
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    for at, piece in stream.tensor(item.view, item.swapped):
        for start in range(0, len(piece), BLOCK):
            wanted = piece[start : start + BLOCK]
            got = os.preadv(descriptor, [view[: len(wanted)]], place + at + start)
            # startswith compares with memcmp; memoryviews compare element by element.
            if got != len(wanted) or not buffer.startswith(wanted):
                raise _differs(path, item, place, at + start, bytes(view[:got]), bytes(wanted))
        proved(len(piece))


def _differs(path: str, item: Item, place: int, at: int, found: bytes, wanted: bytes) -> Trouble:
    first = next((n for n, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), len(found))
    return Trouble(
        f"tensor {item.entry.name!r} is not what the source holds",
        where=f"{path}: offset {place + at + first}",
        evidence=f"read {found[first : first + 8].hex()}, source has {wanted[first : first + 8].hex()}",
        remedy="check disk and memory of this machine; then convert again with --force",
        code="output-differs",
    )
