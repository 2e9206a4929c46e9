"""Converts a checkpoint folder: look, plan, judge what is there, write, prove, finish."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from lingctl.node.checkpoint.torch_file import read_torch_file
from lingctl.node.convert import receipt as receipts
from lingctl.node.convert import unpack
from lingctl.node.convert.assess import SCRATCH, Assessment, assess
from lingctl.node.convert.companions import Companions, copy_companions, find_companions
from lingctl.node.convert.meter import Meter, Report
from lingctl.node.convert.plan import ConversionPlan, Shard, plan_shards
from lingctl.node.convert.source import Layout, Source, layout_of, legacy_files, read_source, source_of
from lingctl.node.convert.workers import Workers
from lingctl.node.convert.write import compare_shard, write_shard
from lingctl.node.files import free_space, make_folder, part_name, sync_folder, system_trouble, write_whole
from lingctl.node.safetensors import INDEX, verify_folder
from lingctl.node.trouble import Trouble

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


def check(source: str, target: str, options: Options) -> Dict[str, object]:
    """Whether a conversion is needed, without doing it: ``state`` and ``reason``.

    Raises:
        Trouble: the source is damaged or cannot be converted.
    """
    with _system_errors():
        layout = layout_of(source)
        if not layout.names:
            folder = verify_folder(layout.folder)
            return {"state": "not-needed", "reason": f"already safetensors: {folder.files} files"}
        if legacy_files(layout):
            # What is in it is known only after torch has read it: the receipt must do.
            return {"state": "needed", "reason": "the checkpoint has the legacy format of torch before 1.6"}
        found = _job(read_source(layout), target, options).found
        return {"state": found.state, "reason": found.reason}


def convert(source: str, target: str, options: Options, report: Report) -> Dict[str, object]:
    """Convert ``source`` into the folder ``target`` and return the summary.

    Raises:
        Trouble: anything a user must know; complete shards are kept and a second run goes on.
    """
    begin = time.monotonic()
    with _system_errors():
        layout = layout_of(source)
        if not layout.names:
            return _nothing_to_do(layout)
        _check_target(layout, target)
        with _readable(layout, target) as readable:
            job = _job(readable, target, options)
            if job.found.state == "done":
                return _summary(job, "unchanged", [], time.monotonic() - begin)
            kept = _carry_out(job, report)
    return _summary(job, "converted", kept, time.monotonic() - begin)


def _nothing_to_do(layout: Layout) -> Dict[str, object]:
    folder = verify_folder(layout.folder)
    return {
        "state": "not-needed",
        "reason": "already safetensors; headers and index agree",
        "folder": layout.folder,
        "shards": folder.files,
        "tensors": folder.tensors,
        "bytes": folder.size,
        "notes": list(folder.notes),
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
    parent = os.path.dirname(os.path.abspath(target))
    with tempfile.TemporaryDirectory(prefix=".lingctl-legacy-", dir=parent) as scratch:
        for name in layout.names:
            path = os.path.join(layout.folder, name)
            if name in legacy:
                unpack.rewrite_legacy(path, os.path.join(scratch, name))
            else:
                os.symlink(os.path.abspath(path), os.path.join(scratch, name))
        files = tuple(read_torch_file(os.path.join(scratch, name)) for name in layout.names)
        yield source_of(layout.folder, files)


def _job(source: Source, target: str, options: Options) -> _Job:
    plan = plan_shards(source, options.max_shard_size, options.layers_per_shard)
    weights = [os.path.basename(file.path) for file in source.files]
    companions = find_companions(source.folder, weights)
    found = assess(plan, source.fingerprint, companions.names, target)
    return _Job(source, plan, companions, target, found, options)


def _carry_out(job: _Job, report: Report) -> List[str]:
    """Write what is missing; returns the companions that differ and were left alone."""
    if job.found.state == "blocked" and not job.options.force:
        raise Trouble(
            job.found.reason,
            where=job.target,
            remedy="name another folder, or add --force to overwrite what is there",
            code="output-differs",
        )
    make_folder(job.target)
    with _locked(job.target):
        _clear(job)
        kept = _kept(job, report)
        pending = [shard for shard in job.plan.shards if shard.name not in kept]
        _check_space(job, pending)
        _write_shards(job, pending, kept, report)
        left = copy_companions(job.source.folder, job.target, job.companions.names, job.options.force)
        _finish(job)
    return left


def _clear(job: _Job) -> None:
    """Remove what an interrupted run left half done and, with --force, what would be taken for the output."""
    names = {shard.name for shard in job.plan.shards}
    for name in [*(part_name(name) for name in (*names, INDEX, receipts.RECEIPT)), SCRATCH]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(job.target, name))
    if job.found.state == "blocked":
        # The index goes first: without it nobody takes a mixture of old and new for a whole model.
        for name in sorted(job.found.foreign, key=lambda name: name != INDEX):
            os.unlink(os.path.join(job.target, name))
        sync_folder(job.target)


def _kept(job: _Job, report: Report) -> Dict[str, str]:
    """State of the shards that need not be written: proved by the receipt, or now by comparing."""
    kept = {name: receipts.shard_state(os.path.join(job.target, name)) for name in job.found.kept}
    unproved = [shard for shard in job.plan.shards if shard.name in job.found.unproved]
    if unproved and not job.options.force:
        _compare(job, unproved, kept, report)
    _note(job, kept)
    return kept


def _compare(job: _Job, shards: Sequence[Shard], kept: Dict[str, str], report: Report) -> None:
    """Compare shards that are there with the source; those that agree are added to ``kept``."""
    workers = Workers()
    meter = Meter("compare existing shards", sum(shard.size - len(shard.header) for shard in shards), report)

    def compare(shard: Shard) -> None:
        path = os.path.join(job.target, shard.name)
        try:
            compare_shard(path, shard, workers.ticking(meter.add))
        except Trouble as trouble:
            trouble.what += ", and this run did not write it"
            trouble.remedy = "name another folder, or add --force to overwrite what is there"
            raise
        kept[shard.name] = receipts.shard_state(path)

    with _unpacked(job, shards) as readable:
        workers.each(compare, readable)


def _check_space(job: _Job, pending: Sequence[Shard]) -> None:
    inflated = sum(record.size for record in unpack.deflated(pending))
    needed = sum(shard.size for shard in pending) + inflated + job.companions.size + _SPARE
    free = free_space(job.target)
    if needed > free:
        raise Trouble(
            "not enough space on the disk",
            where=job.target,
            evidence=f"{needed} bytes needed, {free} free",
            remedy=f"free {needed - free} bytes, or name a folder on another disk",
            code="disk-full",
        )


def _write_shards(job: _Job, pending: Sequence[Shard], kept: Dict[str, str], report: Report) -> None:
    total = sum(item.tensor.size for shard in pending for item in shard.items)
    workers = Workers()
    written = workers.ticking(Meter("write shards", total, report).add)
    proved = workers.ticking(Meter("verify shards", total, report).add)

    def write(shard: Shard) -> None:
        path = os.path.join(job.target, shard.name)
        write_shard(path, shard, job.source.checked, job.options.verify, written, proved)
        kept[shard.name] = receipts.shard_state(path)
        _note(job, kept)

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
        yield unpack.moved(shards, unpack.inflate(records, scratch, job.source.checked))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)


def _note(job: _Job, kept: Dict[str, str]) -> None:
    # A copy: the other thread may add to it meanwhile. Written whole, so the last one to write wins.
    receipts.write_receipt(job.target, receipts.Receipt(job.source.fingerprint, job.plan.digest, dict(kept)))


def _finish(job: _Job) -> None:
    """The index comes last: where it is, the output is complete."""
    write_whole(os.path.join(job.target, INDEX), job.plan.index_text)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Trouble(
            "another conversion is writing there", where=folder, remedy="wait for it to end", code="locked"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise system_trouble(error) from error


def _summary(job: _Job, state: str, kept_files: Sequence[str], seconds: float) -> Dict[str, object]:
    notes: List[str] = []
    if not job.source.checked:
        notes.append("no checksums in the source: damage that happened before cannot be noticed")
    notes += [f"{name} differs from the source's and was left as it is" for name in kept_files]
    return {
        "state": state,
        "folder": job.target,
        "shards": len(job.plan.shards),
        "tensors": job.plan.tensors,
        "bytes": job.plan.total,
        "kept": sorted(job.found.kept + job.found.unproved) if state == "converted" else [],
        "companions": len(job.companions.names),
        "left_out": list(job.source.left_out),
        "verified": job.options.verify,
        "checksums": job.source.checked,
        "seconds": round(seconds, 3),
        "notes": notes,
    }
