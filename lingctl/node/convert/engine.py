"""Converts a checkpoint folder: look, plan, judge what is there, write, prove, finish."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from lingctl.node.checkpoint.companions import Companions, copy_companions, find_companions
from lingctl.node.checkpoint.folder import Layout, Source, layout_of, legacy_files, read_source
from lingctl.node.checkpoint.safetensors import INDEX
from lingctl.node.convert import unpack
from lingctl.node.convert.assess import LEGACY, SCRATCH, Assessment, assess
from lingctl.node.convert.plan import ConversionPlan, Shard, plan_shards
from lingctl.node.convert.receipt import Ledger, read_receipt, shard_state
from lingctl.node.convert.workplace import forget_lock, leftovers, remove, workplace
from lingctl.node.convert.write import compare_shard, write_shard
from lingctl.node.files import file_state, free_space, make_folder, sync_folder, system_trouble, write_whole
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import contents_of
from lingctl.node.workers import Workers

DEFAULT_SHARD = 5_000_000_000
# For folders, receipt and whatever else the file system needs beside the data.
_SPARE = 16 << 20


class Options(NamedTuple):
    """What the user may choose."""

    max_shard_size: int = DEFAULT_SHARD
    layers_per_shard: Optional[int] = None
    verify: bool = True
    force: bool = False


class _Job(NamedTuple):
    """Everything that is known before the first byte is written."""

    source: Source
    plan: ConversionPlan
    companions: Companions
    target: str
    found: Assessment
    options: Options


def default_target(source: str) -> str:
    """Where the output goes if nothing is said: beside the folder of the weights."""
    folder = os.path.dirname(os.path.abspath(source)) if os.path.isfile(source) else os.path.abspath(source)
    return f"{folder}_safetensor"


def convert(source: str, target: str, options: Options, report: Report) -> Dict[str, object]:
    """Convert ``source`` into the folder ``target`` and return the summary.

    Raises:
        Trouble: anything a user must know; complete shards are kept and a second run goes on.
    """
    begin = time.monotonic()
    try:
        layout = layout_of(source)
        if not layout.names:
            return _nothing_to_do(layout)
        _check_target(layout, target)
        if not legacy_files(layout):
            # Before anything is touched: most second runs end here.
            job = _job(read_source(layout), target, options)
            if job.found.state == "done":
                forget_lock(target)
                return _summary(job, "unchanged", [], time.monotonic() - begin)
            _check_allowed(job)
        with workplace(target), _readable(layout, target) as readable:
            job = _job(readable, target, options)
            _check_allowed(job)
            differing = _carry_out(job, report)
    except OSError as error:
        raise system_trouble(error) from error
    return _summary(job, "converted", differing, time.monotonic() - begin)


def _nothing_to_do(layout: Layout) -> Dict[str, object]:
    """A folder of safetensors: whole, or an error says what is missing."""
    contents = contents_of(layout.folder)
    if contents.problems:
        raise contents.problems[0]
    return {
        "state": "not-needed",
        "reason": "already safetensors; headers and index agree",
        "folder": layout.folder,
        "shards": len(contents.files),
        "tensors": len(contents.tensors),
        "bytes": contents.size,
        "notes": list(contents.notes),
    }


def _check_target(layout: Layout, target: str) -> None:
    source, output = os.path.realpath(layout.folder), os.path.realpath(target)
    if output == source or output.startswith(source + os.sep):
        raise Trouble(
            "the output would be inside the folder of the weights",
            where=target,
            remedy="name another folder",
            code="target-in-source",
            exit_status=2,
        )
    if os.path.lexists(target) and not os.path.isdir(target):
        raise Trouble(
            "is not a folder",
            where=target,
            remedy="name another folder",
            code="target-no-folder",
            exit_status=2,
        )


@contextlib.contextmanager
def _readable(layout: Layout, target: str) -> Iterator[Source]:
    """The source; checkpoints of the legacy format are rewritten for the time being."""
    legacy = legacy_files(layout)
    if not legacy:
        yield read_source(layout)
        return
    scratch = os.path.join(target, LEGACY)
    remove(scratch)
    os.mkdir(scratch, 0o700)
    try:
        for name in layout.names:
            path = os.path.join(layout.folder, name)
            if name in legacy:
                unpack.rewrite_legacy(path, os.path.join(scratch, name))
            else:
                os.symlink(os.path.abspath(path), os.path.join(scratch, name))
        yield read_source(layout._replace(folder=scratch))._replace(folder=layout.folder)
    finally:
        remove(scratch)


def _job(source: Source, target: str, options: Options) -> _Job:
    plan = plan_shards(source, options.max_shard_size, options.layers_per_shard)
    weights = [os.path.basename(file.path) for file in source.files]
    companions = find_companions(source.folder, weights)
    found = assess(plan, source.fingerprint, companions.names, target, options.verify)
    return _Job(source, plan, companions, target, found, options)


def _check_allowed(job: _Job) -> None:
    if job.found.state == "blocked" and not job.options.force:
        raise Trouble(
            job.found.reason,
            where=job.target,
            remedy="name another folder, or add --force to overwrite what is there",
            code="output-differs",
        )


def _carry_out(job: _Job, report: Report) -> List[str]:
    """Write what is missing; returns the companions that differ and were left alone."""
    there = _to_compare(job)
    pending = [shard for shard in job.plan.shards if shard.name not in (*job.found.kept, *there)]
    _check_space(job, pending)
    make_folder(job.target)
    _clear(job)
    ledger = Ledger(job.target, job.source.fingerprint, job.plan.digest)
    noted = read_receipt(job.target)
    ledger.begin({name: noted.shards[name] for name in job.found.kept} if noted else {})
    unproved = [shard for shard in job.plan.shards if shard.name in there]
    if unproved:
        _compare(job, unproved, ledger, report)
    _write_shards(job, pending, ledger, report)
    differing = copy_companions(job.source.folder, job.target, job.companions.names, job.options.force)
    _check_unchanged(job.source)
    # The index comes last: where it is, the output is complete, names included.
    sync_folder(job.target)
    write_whole(os.path.join(job.target, INDEX), job.plan.index_text)
    return differing


def _to_compare(job: _Job) -> Sequence[str]:
    """Shards that are there but must be compared with the source before they count."""
    return () if job.options.force else job.found.unproved


def _check_space(job: _Job, pending: Sequence[Shard]) -> None:
    """Before anything is removed: what a run with --force replaces counts as free."""
    inflated = sum(record.size for record in unpack.deflated(pending))
    needed = sum(shard.size for shard in pending) + inflated + job.companions.size + _SPARE
    replaced = [os.path.join(job.target, name) for name in job.found.foreign]
    freed = [*leftovers(job.target, job.plan.shards), *replaced]
    free = free_space(job.target) + sum(os.lstat(path).st_blocks * 512 for path in freed)
    if needed > free:
        raise Trouble(
            "not enough space on the disk",
            where=job.target,
            evidence=f"{needed} bytes needed, {free} free",
            remedy=f"free {needed - free} bytes, or name a folder on another disk",
            code="disk-full",
        )


def _clear(job: _Job) -> None:
    """Remove what an interrupted run left half done and, with --force, what would be taken for the output."""
    for path in leftovers(job.target, job.plan.shards):
        # The rewritten legacy checkpoint is this run's own source.
        if os.path.basename(path) != LEGACY:
            remove(path)
    # The index goes first: without it nobody takes a mixture of old and new for a whole model.
    for name in sorted(job.found.foreign, key=lambda name: name != INDEX):
        remove(os.path.join(job.target, name))
    sync_folder(job.target)


def _compare(job: _Job, shards: Sequence[Shard], ledger: Ledger, report: Report) -> None:
    """Compare shards that are there with the source; what agrees is kept."""
    workers = Workers()
    meter = Meter("compare existing shards", sum(shard.size - len(shard.header) for shard in shards), report)

    def compare(shard: Shard) -> None:
        path = os.path.join(job.target, shard.name)
        state = shard_state(path)
        try:
            compare_shard(path, shard, workers.ticking(meter.add))
        except Trouble as trouble:
            trouble.what += ", and this run did not write it"
            trouble.remedy = "name another folder, or add --force to overwrite what is there"
            raise
        ledger.add(shard.name, state)

    with _unpacked(job, shards) as readable:
        workers.each(compare, readable)


def _write_shards(job: _Job, pending: Sequence[Shard], ledger: Ledger, report: Report) -> None:
    total = sum(item.tensor.size for shard in pending for item in shard.items)
    workers = Workers()
    written = workers.ticking(Meter("write shards", total, report).add)
    proved = workers.ticking(Meter("verify shards", total, report).add)

    def write(shard: Shard) -> None:
        path = os.path.join(job.target, shard.name)
        write_shard(path, shard, job.options.verify, written, proved)
        ledger.add(shard.name, shard_state(path, job.options.verify))

    with _unpacked(job, pending) as readable:
        workers.each(write, readable)


@contextlib.contextmanager
def _unpacked(job: _Job, shards: Sequence[Shard]) -> Iterator[Sequence[Shard]]:
    records = unpack.deflated(shards)
    if not records:
        yield shards
        return
    scratch = os.path.join(job.target, SCRATCH)
    try:
        yield unpack.moved(shards, unpack.inflate(records, scratch))
    finally:
        remove(scratch)


def _check_unchanged(source: Source) -> None:
    """Files without checksums could change unnoticed while they are copied."""
    for file in source.files:
        if file_state(os.stat(file.path)) != file.state:
            raise Trouble(
                "the input changed while it was converted",
                where=file.path,
                remedy="wait until nobody writes to it, then convert again",
                code="source-changed",
            )


def _summary(job: _Job, state: str, differing: Sequence[str], seconds: float) -> Dict[str, object]:
    unchecked = [os.path.basename(file.path) for file in job.source.files if not file.checked]
    notes: List[str] = []
    if unchecked:
        names = ", ".join(unchecked[:5])
        notes.append(f"no checksums in {names}: damage that happened before cannot be noticed")
    if job.source.left_out:
        names = ", ".join(job.source.left_out[:5])
        notes.append(f"{len(job.source.left_out)} entries are no weights and were left out: {names}")
    notes += [f"{name} differs from the source's and was left as it is" for name in differing]
    return {
        "state": state,
        "folder": job.target,
        "shards": len(job.plan.shards),
        "tensors": job.plan.tensors,
        "bytes": job.plan.total,
        "kept": sorted((*job.found.kept, *_to_compare(job))) if state == "converted" else [],
        "companions": len(job.companions.names),
        "left_out": list(job.source.left_out),
        "verified": job.options.verify,
        "checksums": not unchecked,
        "seconds": round(seconds, 3),
        "notes": notes,
    }
