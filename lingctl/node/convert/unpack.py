"""Members that are deflated cannot be copied by file offset: they are first inflated, into a scratch file."""

from __future__ import annotations

import os
from typing import Dict, List, Sequence

from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.stream import inflated
from lingctl.node.convert.plan import Shard
from lingctl.node.files import create


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
            for piece in inflated(record):
                target.write(piece)
            placed[record] = record._replace(path=scratch, offset=at, packed=0)
            at += record.size
    return placed
