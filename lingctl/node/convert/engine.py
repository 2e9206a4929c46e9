"""Converts a checkpoint folder: look, plan, judge what is there, write, prove, finish."""

from __future__ import annotations

import os
import time
from typing import Dict, List, Sequence

from lingctl.node.checkpoint.folder import Checkpoint, read_checkpoint, refuse_other
from lingctl.node.checkpoint.record import Held
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.convert.carry_out import carry_out
from lingctl.node.convert.job import Job, Options, look_at_target, plan_job
from lingctl.node.convert.workplace import forget_lock, workplace
from lingctl.node.files import kind_of, system_trouble
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble, some
from lingctl.node.weights.contents import contents_of
from lingctl.node.weights.reading import Contents, misfits

# What DistributedDataParallel, torch.compile and FSDP put before the names of a model's tensors.
_WRAPPED = ("module.", "_orig_mod.", "_fsdp_wrapped_module.")


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
        if found.checkpoint is None:
            return _nothing_to_do(source, found)
        _check_target(found.checkpoint, target)
        # Before anything is touched: most second runs end here.
        job = plan_job(found.checkpoint, target, options)
        if job.done:
            forget_lock(target)
            return _summary(job, found, "unchanged", [], time.monotonic() - begin)
        job.need_allowed()
        # What was compared with config.json is not needed any more: room for the conversion.
        found = found._replace(tensors={}, checkpoint=None)
        with workplace(target):
            # Once more: another run may have ended meanwhile. That the source stays is checked at the end.
            job = look_at_target(job)
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
    for trouble in found.troubles:
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
        return Contents("safetensors", (name,), tensors, size)
    checkpoint = read_checkpoint(folder, (name,), {})
    return Contents("bin", (name,), size=os.path.getsize(path), checkpoint=checkpoint)


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
    return [*found.notes, *(f"{trouble}" for trouble in (*found.companions, *found.in_the_way))]


def _check_target(checkpoint: Checkpoint, target: str) -> None:
    source, output = os.path.realpath(checkpoint.folder), os.path.realpath(target)
    if output == source or output.startswith(source + os.sep):
        raise Trouble(
            "the output would be inside the folder of the weights",
            where=target,
            remedy="name another folder",
            code="target-in-source",
            exit_status=2,
        )
    if os.path.lexists(target) and kind_of(target) != "folder":
        raise Trouble(
            "is not a folder",
            where=target,
            remedy="name another folder",
            code="target-no-folder",
            exit_status=2,
        )


def _summary(
    job: Job, found: Contents, state: str, differing: Sequence[str], seconds: float
) -> Dict[str, object]:
    unchecked = [file.name for file in job.source.files if not file.checked]
    notes = _notes_on(job.source)
    if unchecked:
        names = ", ".join(unchecked[:5])
        notes.append(f"no checksums in {names}: damage that happened before cannot be noticed")
    notes += _notes(found)
    if job.linked:
        notes.append(f"links led out of the folder, and what they lead to was copied: {some(job.linked)}")
    notes += [f"{name} differs from the source's and was left as it is" for name in differing]
    return {
        "state": state,
        "folder": job.target,
        "shards": len(job.plan.shards),
        "tensors": job.plan.tensors,
        "bytes": job.plan.total,
        "kept": sorted((*job.kept, *job.to_compare)) if state == "converted" else [],
        "companions": len(job.companions.names),
        "left_out": list(job.source.left_out),
        "verified": job.options.verify,
        "checksums": not unchecked,
        "seconds": round(seconds, 3),
        "notes": notes,
    }


def _notes_on(source: Checkpoint) -> List[str]:
    """What was taken of the files, and what was not."""
    notes: List[str] = []
    places = sorted({f"{file.name}: {file.entry}" for file in source.files if file.entry})
    if places:
        notes.append(f"the state dict was taken from inside the file: {some(places)}")
    count = len(source.beside)
    if count:
        notes.append(f"{count} entries with tensors stand beside it and were left out: {some(source.beside)}")
    others = len(source.left_out) - count
    if others:
        holding = {name.rpartition(" (")[0] for name in source.beside}
        names = [name for name in source.left_out if name not in holding]
        notes.append(f"{others} entries hold no tensors and were left out: {some(names)}")
    for prefix in _WRAPPED:
        if all(name.startswith(prefix) for file in source.files for name in file.tensors):
            notes.append(f"all names begin with {prefix!r}, as those of a wrapped model do: kept as they are")
    return notes
