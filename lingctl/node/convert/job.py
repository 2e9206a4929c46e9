"""One conversion: what was chosen, and everything that is known before the first byte is written.

What the output folder already holds is compared with what it should hold: quick, and changes nothing.
"""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.companions import Companions, find_companions
from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.index import INDEX
from lingctl.node.convert.plan import ConversionPlan, Shard, plan_shards
from lingctl.node.convert.receipt import is_proved, read_receipt
from lingctl.node.files import kind_of, opened
from lingctl.node.folders import need_open
from lingctl.node.trouble import Trouble

DEFAULT_SHARD = 5_000_000_000


class Options(NamedTuple):
    """What the user may choose."""

    max_shard_size: int = DEFAULT_SHARD
    layers_per_shard: Optional[int] = None
    verify: bool = True
    force: bool = False


class Job(NamedTuple):
    """Everything that is known before the first byte is written."""

    source: Checkpoint
    target: str
    options: Options
    plan: ConversionPlan
    companions: Companions
    linked: Tuple[str, ...]  # companions that links lead to from elsewhere, as ``NAME -> FILE``
    # Of the output folder:
    done: bool = False  # whether it is what this conversion would make
    blocked: str = ""  # why it must not be written into, one sentence
    kept: Mapping[str, str] = {}  # shards that the receipt proves complete, with their state
    unproved: Tuple[str, ...] = ()  # shards that look right but must be compared with the source
    foreign: Tuple[str, ...] = ()  # files of weights that this conversion would not write

    @property
    def to_compare(self) -> Tuple[str, ...]:
        """Shards that are there but must be compared with the source before they count."""
        return () if self.options.force else self.unproved

    def need_allowed(self) -> None:
        """Refuse to overwrite another output unless told to. Raises Trouble: other weights are there."""
        if self.blocked and not self.options.force:
            raise Trouble(
                self.blocked,
                where=self.target,
                remedy="name another folder, or add --force to overwrite what is there",
                code="output-differs",
            )


def plan_job(source: Checkpoint, target: str, options: Options) -> Job:
    """Look at source and target and plan; nothing is written.

    Raises:
        Trouble: the source cannot be converted.
    """
    plan = plan_shards(source, options.max_shard_size, options.layers_per_shard)
    companions = find_companions(source.folder, [file.name for file in source.files])
    linked = [f"{name} -> {real}" for name in companions.names if (real := need_open(source.folder, name))]
    return look_at_target(Job(source, target, options, plan, companions, tuple(linked)))


def look_at_target(job: Job) -> Job:
    """The same job, for what is in the target folder now."""
    present = os.listdir(job.target) if kind_of(job.target) == "folder" else []
    names = {shard.name for shard in job.plan.shards}
    receipt = read_receipt(job.target)
    noted = receipt.shards if receipt and receipt.plan == job.plan.digest else {}
    kept: Dict[str, str] = {}
    unproved: List[str] = []
    foreign = [name for name in present if name.endswith(".safetensors") and name not in names]
    for shard in job.plan.shards:
        if shard.name not in present:
            continue
        path = os.path.join(job.target, shard.name)
        if not _looks_right(path, shard):
            foreign.append(shard.name)
        elif is_proved(noted.get(shard.name, ""), path, job.options.verify):
            kept[shard.name] = noted[shard.name]
        else:
            unproved.append(shard.name)
    index = job.plan.index_text
    index_right = INDEX in present and _begin(os.path.join(job.target, INDEX), len(index) + 1) == index
    if INDEX in present and not index_right:
        foreign.append(INDEX)
    missing = [name for name in job.companions.names if not os.path.lexists(os.path.join(job.target, name))]
    blocked = f"other weights are there: {', '.join(sorted(foreign)[:4])}" if foreign else ""
    if receipt and receipt.source != job.source.fingerprint and (kept or unproved or foreign):
        blocked = "the input is not the one this output was made from"
    return job._replace(
        done=len(kept) == len(job.plan.shards) and index_right and not missing and not blocked,
        blocked=blocked,
        kept=kept,
        unproved=tuple(unproved),
        foreign=tuple(sorted(foreign)),
    )


def _looks_right(path: str, shard: Shard) -> bool:
    if os.path.islink(path) or kind_of(path) != "file" or os.path.getsize(path) != shard.size:
        return False
    return _begin(path, len(shard.header)) == shard.header


def _begin(path: str, count: int) -> bytes:
    with opened(path) as descriptor:
        return os.read(descriptor, count)
