"""Inputs that cannot be copied by file offset are first laid out in a scratch file beside the output:
deflated members by inflating them, checkpoints of the legacy format through torch."""

from __future__ import annotations

import importlib
import os
import zlib
from typing import Dict, Iterator, List, Sequence

from lingctl.node.checkpoint.stream import damaged
from lingctl.node.checkpoint.torch_file import Record
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
        return old._replace(record=placed.get(old.record, old.record))

    return [
        shard._replace(
            items=tuple(map(item, shard.items)),
            loose=tuple(placed.get(record, record) for record in shard.loose),
        )
        for shard in shards
    ]


def rewrite_legacy(path: str, scratch: str) -> None:
    """Write a checkpoint of the legacy format as a zip file, through torch's restricted loader.

    Raises:
        Trouble: torch is not installed, or refuses the file.
    """
    where = os.path.basename(path)
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise Trouble(
            "the checkpoint has the legacy format of torch before 1.6, which only torch itself can read",
            where=where,
            remedy="install torch (pip install 'lingctl[torch]') and run it again, "
            "or save it again with a newer torch",
            code="legacy-format",
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        torch.save(content, scratch)
    except Exception as error:  # torch raises many kinds; all of them mean that the file is not readable.
        reason = str(error).strip().splitlines()
        raise Trouble(
            "torch cannot read this legacy checkpoint",
            where=where,
            evidence=f"{type(error).__name__}: {reason[0] if reason else ''}",
            remedy="save it again as a plain state dict with a newer torch",
            code="legacy-format",
        ) from None


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
