"""What an output folder already holds, compared with what it should hold. Quick; changes nothing."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Tuple

from lingctl.node.checkpoint.index import INDEX
from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.convert.plan import ConversionPlan, Shard
from lingctl.node.convert.receipt import is_proved, read_receipt
from lingctl.node.files import opened, part_name

SCRATCH = ".lingctl-convert.scratch"


class Assessment(NamedTuple):
    """What is to be done."""

    state: str  # ``needed``, ``done``, ``interrupted`` or ``blocked``
    reason: str  # why, one sentence
    kept: Tuple[str, ...] = ()  # shards that the receipt proves complete
    unproved: Tuple[str, ...] = ()  # shards that look right but must be compared with the source
    foreign: Tuple[str, ...] = ()  # files of weights that this conversion would not write


def assess(
    plan: ConversionPlan, fingerprint: str, companions: Tuple[str, ...], folder: str, verify: bool
) -> Assessment:
    """Judge ``folder`` against ``plan``; ``verify`` asks for shards that were read back when written."""
    present = os.listdir(folder) if os.path.isdir(folder) else []
    names = {shard.name for shard in plan.shards}
    receipt = read_receipt(folder)
    proved = receipt.shards if receipt and receipt.plan == plan.digest else {}
    kept: List[str] = []
    unproved: List[str] = []
    foreign = [name for name in present if name.endswith(".safetensors") and name not in names]
    for shard in plan.shards:
        if shard.name not in present:
            continue
        path = os.path.join(folder, shard.name)
        if not _looks_right(path, shard):
            foreign.append(shard.name)
        elif is_proved(proved.get(shard.name, ""), path, verify):
            kept.append(shard.name)
        else:
            unproved.append(shard.name)
    index_right = (
        INDEX in present and _bytes(os.path.join(folder, INDEX), len(plan.index_text) + 1) == plan.index_text
    )
    if INDEX in present and not index_right:
        foreign.append(INDEX)
    found = Assessment("", "", tuple(kept), tuple(unproved), tuple(sorted(foreign)))
    weights = bool(kept or unproved or foreign)
    if receipt and receipt.source != fingerprint and weights:
        return found._replace(state="blocked", reason="the input is not the one this output was made from")
    if foreign:
        return found._replace(
            state="blocked", reason=f"other weights are there: {', '.join(found.foreign[:4])}"
        )
    missing = [name for name in companions if not os.path.lexists(os.path.join(folder, name))]
    if len(kept) == len(plan.shards) and index_right and not missing:
        return found._replace(state="done", reason="all shards are there and unchanged")
    started = weights or RECEIPT in present or any(part_name(name) in present for name in names)
    if started:
        count = len(kept) + len(unproved)
        return found._replace(state="interrupted", reason=f"{count} of {len(plan.shards)} shards are there")
    return found._replace(state="needed", reason="the weights are a PyTorch checkpoint")


def _looks_right(path: str, shard: Shard) -> bool:
    if not os.path.isfile(path) or os.path.islink(path) or os.path.getsize(path) != shard.size:
        return False
    return _bytes(path, len(shard.header)) == shard.header


def _bytes(path: str, count: int) -> bytes:
    with opened(path) as descriptor:
        return os.read(descriptor, count)
