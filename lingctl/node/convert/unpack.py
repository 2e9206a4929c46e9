"""Members that are deflated cannot be copied by file offset: they are first inflated, into a scratch file."""

from __future__ import annotations

import os
import zlib
from typing import Dict, Iterator, List, Sequence

from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.stream import damaged
from lingctl.node.convert.plan import Item, Shard
from lingctl.node.files import create
from lingctl.node.trouble import Trouble

_BLOCK = 1 << 20


def deflated(shards: Sequence[Shard]) -> List[Record]:
    """The records that must be inflated for these shards, each once."""
    return list({item.record: None for shard in shards for item in shard.items if item.record.packed})


def inflate(records: Sequence[Record], scratch: str) -> Dict[Record, Record]:
    """Inflate ``records`` into the file ``scratch``; for each, where its bytes are now.

    Raises:
        Trouble: a record is damaged, or does not have the size it claims.
    """
    placed: Dict[Record, Record] = {}
    at = 0
    with os.fdopen(create(scratch), "wb") as target:
        for record in records:
            crc = 0
            size = 0
            for piece in _inflated(record):
                crc = zlib.crc32(piece, crc)
                size += len(piece)
                target.write(piece)
            if size != record.size or record.crc not in (None, crc):
                raise damaged(record, "of this record", crc)
            placed[record] = record._replace(path=scratch, offset=at, packed=0)
            at += size
    return placed


def moved(shards: Sequence[Shard], placed: Dict[Record, Record]) -> List[Shard]:
    """The same shards, reading from where the records are now."""

    def item(old: Item) -> Item:
        return old._replace(view=old.view._replace(record=placed.get(old.record, old.record)))

    return [
        shard._replace(
            items=tuple(map(item, shard.items)),
            loose=tuple(placed.get(record, record) for record in shard.loose),
        )
        for shard in shards
    ]


def _inflated(record: Record) -> Iterator[bytes]:
    """The record's bytes, at most one more than it claims, so that a bomb is noticed and not unpacked."""
    engine = zlib.decompressobj(-15)
    left = record.size + 1
    with open(record.path, "rb") as file:
        file.seek(record.offset)
        packed = record.packed
        while left and not engine.eof:
            waiting = engine.unconsumed_tail
            if not waiting:
                waiting = file.read(min(_BLOCK, packed))
                packed -= len(waiting)
                if not waiting:
                    return
            try:
                piece = engine.decompress(waiting, min(_BLOCK, left))
            except zlib.error as error:
                raise Trouble(
                    f"cannot be inflated: {error}",
                    where=f"{os.path.basename(record.path)}: member {record.member}, offset {record.offset}",
                    remedy="download the file again",
                    code="record-damaged",
                ) from None
            left -= len(piece)
            yield piece
