"""Converts a checkpoint folder: look, plan, judge what is there, write, prove, finish."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Dict, Iterator, List, Sequence

from lingctl.node.checkpoint.folder import (
    Checkpoint,
    CheckpointFiles,
    legacy_files,
    read_checkpoint,
    refuse_other,
)
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.convert import unpack
from lingctl.node.convert.assess import LEGACY
from lingctl.node.convert.carry_out import carry_out
from lingctl.node.convert.job import Job, Options, plan_job
from lingctl.node.convert.workplace import forget_lock, remove, workplace
from lingctl.node.files import kind_of, system_trouble
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import Contents, contents_of, misfits
from lingctl.node.weights.expected import Held


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
        found = _found(source)
        layout = found.layout
        if layout is None:
            return _nothing_to_do(source, found)
        _check_target(layout, target)
        if found.checkpoint:
            # Before anything is touched: most second runs end here.
            job = plan_job(found.checkpoint, target, options)
            if job.found.state == "done":
                forget_lock(target)
                return _summary(job, found, "unchanged", [], time.monotonic() - begin)
            job.need_allowed()
        with workplace(target), _readable(layout, target) as readable:
            job = plan_job(readable, target, options)
            job.need_allowed()
            differing = carry_out(job, report)
    except OSError as error:
        raise system_trouble(error) from error
    return _summary(job, found, "converted", differing, time.monotonic() - begin)


def _found(source: str) -> Contents:
    """What there is to convert, whole as far as one can see.

    Raises:
        Trouble: nothing, or it is damaged.
        OSError: it cannot be read.
    """
    kind = kind_of(source)
    if kind in ("file", "other"):
        return _one_file(source)
    found = contents_of(source)
    unknown = [trouble for trouble in found.unknown if trouble.code != "legacy-format"]
    for trouble in (*found.problems, *unknown):
        raise trouble
    return found


def _one_file(path: str) -> Contents:
    """A file that was named: its content decides, whatever it is called."""
    folder, name = os.path.split(os.path.abspath(path))
    refuse_other(path)
    if name.endswith(".safetensors"):
        entries, begin = read_header(path)
        size = os.path.getsize(path) - begin
        tensors = {entry.name: Held(name, entry.dtype, entry.shape) for entry in entries}
        return Contents("safetensors", (name,), tensors, size, ())
    layout = CheckpointFiles(folder, (name,), {})
    checkpoint = None if legacy_files(layout) else read_checkpoint(layout)
    return Contents("bin", (name,), {}, os.path.getsize(path), (), layout=layout, checkpoint=checkpoint)


def _nothing_to_do(source: str, found: Contents) -> Dict[str, object]:
    """Safetensors already: whole and the model of their config.json, or an error says what is wrong."""
    for trouble in misfits(source, found):
        raise trouble
    return {
        "state": "not-needed",
        "reason": "already safetensors; headers and index agree",
        "folder": source,
        "shards": len(found.files),
        "tensors": len(found.tensors),
        "bytes": found.size,
        "notes": _notes(found),
    }


def _notes(found: Contents) -> List[str]:
    """What is odd beside the weights."""
    return [*found.notes, *(f"{trouble}" for trouble in found.companions)]


def _check_target(layout: CheckpointFiles, target: str) -> None:
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
def _readable(layout: CheckpointFiles, target: str) -> Iterator[Checkpoint]:
    """The source; checkpoints of the legacy format are rewritten for the time being."""
    legacy = legacy_files(layout)
    if not legacy:
        yield read_checkpoint(layout)
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
        yield read_checkpoint(layout._replace(folder=scratch))._replace(folder=layout.folder)
    finally:
        remove(scratch)


def _summary(
    job: Job, found: Contents, state: str, differing: Sequence[str], seconds: float
) -> Dict[str, object]:
    unchecked = [os.path.basename(file.path) for file in job.source.files if not file.checked]
    notes: List[str] = []
    if unchecked:
        names = ", ".join(unchecked[:5])
        notes.append(f"no checksums in {names}: damage that happened before cannot be noticed")
    if job.source.left_out:
        names = ", ".join(job.source.left_out[:5])
        notes.append(f"{len(job.source.left_out)} entries are no weights and were left out: {names}")
    notes += _notes(found)
    notes += [f"{name} differs from the source's and was left as it is" for name in differing]
    return {
        "state": state,
        "folder": job.target,
        "shards": len(job.plan.shards),
        "tensors": job.plan.tensors,
        "bytes": job.plan.total,
        "kept": sorted((*job.found.kept, *job.to_compare)) if state == "converted" else [],
        "companions": len(job.companions.names),
        "left_out": list(job.source.left_out),
        "verified": job.options.verify,
        "checksums": not unchecked,
        "seconds": round(seconds, 3),
        "notes": notes,
    }
