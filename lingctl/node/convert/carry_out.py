"""Carries out a conversion that was planned: clear, compare what is there, write, and prove."""

from __future__ import annotations

import contextlib
import os
from typing import Dict, Iterator, List, Sequence

from lingctl.node.checkpoint.companions import copy_companions
from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.index import INDEX
from lingctl.node.checkpoint.record import Record
from lingctl.node.convert.job import Job
from lingctl.node.convert.plan import Shard
from lingctl.node.convert.receipt import Ledger, Receipt, shard_state
from lingctl.node.convert.unpack import deflated, inflate
from lingctl.node.convert.workplace import SCRATCH, leftovers, remove
from lingctl.node.convert.write import compare_shard, write_shard
from lingctl.node.files import file_state, need_space, sync_folder, write_whole
from lingctl.node.folders import make_folder
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.workers import Workers

# For folders, receipt and whatever else the file system needs beside the data.
_SPARE = 16 << 20


def carry_out(job: Job, report: Report) -> List[str]:
    """Write what is missing; the companions that differ and were left alone.

    Raises:
        Trouble: no space, a source that changed, or another output in the way. What is complete is kept.
        OSError: the disk, or the rights.
    """
    there = job.to_compare
    pending = [shard for shard in job.plan.shards if shard.name not in (*job.kept, *there)]
    _check_space(job, pending)
    make_folder(job.target)
    _clear(job)
    ledger = Ledger(job.target, Receipt(job.source.fingerprint, job.plan.digest, {}))
    ledger.note(job.kept)
    _compare(job, [shard for shard in job.plan.shards if shard.name in there], ledger, report)
    _write_shards(job, pending, ledger, report)
    differing = copy_companions(job.source.folder, job.target, job.companions.names, job.options.force)
    _check_unchanged(job.source)
    # The index comes last: where it is, the output is complete, names included.
    sync_folder(job.target)
    write_whole(os.path.join(job.target, INDEX), job.plan.index_text)
    return differing


def _check_space(job: Job, pending: Sequence[Shard]) -> None:
    """Before anything is removed: what a run with --force replaces counts as free."""
    inflated = sum(record.size for record in deflated(pending))
    needed = sum(shard.size for shard in pending) + inflated + job.companions.size + _SPARE
    replaced = [os.path.join(job.target, name) for name in job.foreign]
    freed = [*leftovers(job.target, job.plan.shards), *replaced]
    need_space(job.target, needed, sum(os.lstat(path).st_blocks * 512 for path in freed))


def _clear(job: Job) -> None:
    """Remove what an interrupted run left half done and, with --force, what would be taken for the output."""
    for path in leftovers(job.target, job.plan.shards):
        remove(path)
    # The index goes first: without it nobody takes a mixture of old and new for a whole model.
    for name in sorted(job.foreign, key=lambda name: name != INDEX):
        remove(os.path.join(job.target, name))
    sync_folder(job.target)


def _compare(job: Job, shards: Sequence[Shard], ledger: Ledger, report: Report) -> None:
    """Compare shards that are there with the source; what agrees is kept."""
    workers = Workers()
    meter = Meter("compare existing shards", sum(shard.size - len(shard.header) for shard in shards), report)

    def compare(shard: Shard) -> None:
        path = os.path.join(job.target, shard.name)
        state = shard_state(path)
        try:
            compare_shard(path, shard, placed, workers.ticking(meter.add))
        except Trouble as trouble:
            trouble.what += ", and this run did not write it"
            trouble.remedy = "name another folder, or add --force to overwrite what is there"
            raise
        ledger.note({shard.name: state})

    with _inflated(job, shards) as placed:
        workers.each(compare, shards)


def _write_shards(job: Job, pending: Sequence[Shard], ledger: Ledger, report: Report) -> None:
    total = sum(item.view.size for shard in pending for item in shard.items)
    workers = Workers()
    written = workers.ticking(Meter("write shards", total, report).add)
    proved = workers.ticking(Meter("verify shards", total, report).add)

    def write(shard: Shard) -> None:
        path = os.path.join(job.target, shard.name)
        write_shard(path, shard, placed, job.options.verify, written, proved)
        ledger.note({shard.name: shard_state(path, job.options.verify)})

    with _inflated(job, pending) as placed:
        workers.each(write, pending)


@contextlib.contextmanager
def _inflated(job: Job, shards: Sequence[Shard]) -> Iterator[Dict[Record, Record]]:
    """Where the bytes of deflated records are meanwhile."""
    scratch = os.path.join(job.target, SCRATCH)
    try:
        records = deflated(shards)
        yield inflate(records, scratch) if records else {}
    finally:
        remove(scratch)


def _check_unchanged(source: Checkpoint) -> None:
    """Files without checksums could change unnoticed while they are copied."""
    for file in source.files:
        if file_state(os.stat(file.path)) != file.state:
            raise Trouble(
                "the input changed while it was converted",
                where=file.path,
                remedy="wait until nobody writes to it, then convert again",
                code="source-changed",
            )
