"""A folder with the head's normalisation folded in, beside the original, of which nothing is changed.

Files of weights are the original's own, by hard links (copies where a file system has none), but for the one
with lm_head, which is written anew. config.json says ``norm_head: false``: so every engine computes the same
with it, whether it reads that key or not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.companions import copy_companions, find_companions, same
from lingctl.node.checkpoint.index import INDEX
from lingctl.node.files import (
    copy_file,
    file_state,
    kind_of,
    need_space,
    part_name,
    read_json,
    sync_folder,
    system_trouble,
    write_whole,
)
from lingctl.node.fold.head import HEAD, HeadPlace, find_head, fold_file, measure
from lingctl.node.folders import make_folder, need_open
from lingctl.node.locked import locked
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import contents_of
from lingctl.node.weights.model_config import read_config
from lingctl.node.weights.reading import Contents

CONFIG = "config.json"
_RECEIPT, _LOCK = ".lingctl-fold.json", ".lingctl-fold.lock"
_LARGEST_RECEIPT = 100_000
# For folders, receipt, config.json and whatever else the file system needs beside the head's file.
_SPARE = 16 << 20


class _Job(NamedTuple):
    source: str
    target: str
    found: Contents
    config: Dict[str, object]  # the original
    place: HeadPlace
    linked: Tuple[str, ...]  # files of weights that both folders have
    copied: Tuple[str, ...]  # what goes with them
    fingerprint: str  # of all that the output is made from

    @property
    def head_file(self) -> str:
        """Name of the file that is written anew."""
        return os.path.basename(self.place.path)


def default_folded(source: str) -> str:
    """Where the output goes if nothing is said."""
    return f"{os.path.abspath(source)}_folded"


def fold(source: str, target: str, report: Report, *, force: bool = False) -> Dict[str, object]:
    """Fold the head of ``source`` into the folder ``target`` and return the summary.

    Args:
        force: overwrite another output.

    Raises:
        Trouble: anything a user must know. What is complete is kept, and a second run goes on.
    """
    begin = time.monotonic()
    try:
        job, reason = _plan(source, target)
        if job is None:
            return {"state": "not-needed", "reason": reason, "folder": source, "notes": []}
        make_folder(target)
        with locked(os.path.join(target, _LOCK), "folding"):
            if _is_done(job):
                return _summary(job, "unchanged", [], begin)
            _need_allowed(job, force)
            need_space(target, os.path.getsize(job.place.path) + _SPARE)
            lengths = _carry_out(job, report)
    except OSError as error:
        raise system_trouble(error) from error
    return _summary(job, "folded", lengths, begin)


def _plan(source: str, target: str) -> Tuple[Optional[_Job], str]:
    """What there is to do, or why nothing is."""
    found = contents_of(source)
    for trouble in found.troubles:
        raise trouble
    if found.form != "safetensors":
        raise Trouble(
            "the weights are a PyTorch checkpoint: the head is folded in safetensors",
            where=source,
            remedy=f"lingctl convert {shlex.quote(source)}; then fold what it makes",
            code="fold-bin",
            exit_status=2,
        )
    config, _ = read_config(source)
    if config is None:
        raise Trouble(
            "there is no readable config.json beside the weights", where=source, code="model-config-missing"
        )
    if config.get("norm_head") is not True:
        return None, f"config.json says norm_head: {json.dumps(config.get('norm_head'))}"
    held = found.tensors.get(HEAD)
    if held is None or config.get("tie_word_embeddings") is True:
        raise Trouble(
            f"the model has no {HEAD} of its own",
            where=source,
            evidence=f"tie_word_embeddings: {json.dumps(config.get('tie_word_embeddings'))}",
            remedy="serve it with an engine that normalises the head itself: lingctl engines",
            code="head-unfit",
        )
    real, output = os.path.realpath(source), os.path.realpath(target)
    if output == real or output.startswith(real + os.sep) or real.startswith(output + os.sep):
        raise Trouble(
            "the output would be the folder of the weights, or inside of it",
            where=target,
            remedy="name another folder",
            code="target-in-source",
            exit_status=2,
        )
    place = find_head(os.path.join(source, held.file))
    index = (INDEX,) if os.path.isfile(os.path.join(source, INDEX)) else ()
    names = find_companions(source, found.files).names
    copied = tuple(name for name in (*index, *names) if name not in (CONFIG, f"{CONFIG}.bak"))
    linked = tuple(name for name in found.files if name != held.file)
    fingerprint = _fingerprint(source, (*found.files, *copied, CONFIG))
    return _Job(source, target, found, config, place, linked, copied, fingerprint), ""


def _fingerprint(source: str, names: Tuple[str, ...]) -> str:
    states = [f"{name} {file_state(os.stat(os.path.join(source, name)))}" for name in sorted(names)]
    return hashlib.sha256("\n".join(states).encode()).hexdigest()


def _is_done(job: _Job) -> bool:
    """Whether the receipt says so, and all that it tells of is as it was."""
    noted = _receipt(job.target)
    try:
        state = file_state(os.stat(os.path.join(job.target, job.head_file)))
        there = all(kind_of(os.path.join(job.target, it)) != "absent" for it in (*job.linked, *job.copied))
    except FileNotFoundError:
        return False
    config, _ = read_config(job.target)
    said = config is not None and config.get("norm_head") is False
    return noted == {"source": job.fingerprint, "head": state} and there and said


def _receipt(folder: str) -> Dict[str, object]:
    try:
        content = read_json(os.path.join(folder, _RECEIPT), _LARGEST_RECEIPT)
    except (OSError, Trouble, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _need_allowed(job: _Job, force: bool) -> None:
    """Refuse to write over what no folding of these weights has left."""
    if force or _receipt(job.target).get("source") == job.fingerprint:
        return
    other = sorted(name for name in os.listdir(job.target) if not name.startswith(".lingctl-fold"))
    if other:
        raise Trouble(
            "another output is there, or one of other weights",
            where=job.target,
            evidence=", ".join(other[:5]),
            remedy="name another folder, or add --force to overwrite what is there",
            code="output-differs",
        )


def _carry_out(job: _Job, report: Report) -> List[float]:
    """The file with the head comes last: without it nobody takes the folder for a whole model."""
    head = os.path.join(job.target, job.head_file)
    for path in (part_name(head), head):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    write_whole(os.path.join(job.target, _RECEIPT), _receipt_text(job.fingerprint, ""))
    for name in job.linked:
        need_open(job.source, name)
        _link(os.path.join(job.source, name), os.path.join(job.target, name))
    copy_companions(job.source, job.target, job.copied, True)
    text = json.dumps({**job.config, "norm_head": False}, indent=2, ensure_ascii=False) + "\n"
    write_whole(os.path.join(job.target, CONFIG), text.encode())
    lengths = measure(job.place, Meter("measure the head", job.place.size, report).add)
    size = os.path.getsize(job.place.path)
    written, proved = (Meter(f"{word} {job.head_file}", size, report).add for word in ("write", "verify"))
    fold_file(job.place, head, lengths, written, proved)
    if _fingerprint(job.source, (*job.found.files, *job.copied, CONFIG)) != job.fingerprint:
        os.unlink(head)
        raise Trouble(
            "the weights changed while they were folded",
            where=job.source,
            remedy="wait until nobody writes to them, then the same again",
            code="source-changed",
        )
    sync_folder(job.target)
    write_whole(os.path.join(job.target, _RECEIPT), _receipt_text(job.fingerprint, file_state(os.stat(head))))
    return lengths


def _receipt_text(source: str, head: str) -> bytes:
    return (json.dumps({"source": source, "head": head}) + "\n").encode()


def _link(source: str, target: str) -> None:
    """The same file under another name; a copy where the file system has no links."""
    if os.path.lexists(target):
        if os.path.samestat(os.stat(source), os.lstat(target)) or same(source, target):
            return
        os.unlink(target)
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        copy_file(source, target)


def _summary(job: _Job, state: str, lengths: List[float], begin: float) -> Dict[str, object]:
    entry = job.place.entry
    notes = []
    if lengths and all(abs(length - 1) < 0.01 for length in lengths if length):
        notes.append(
            "the columns had length 1 already: the weights were folded, or saved after they had answered"
        )
    return {
        "state": state,
        "folder": job.target,
        "file": job.head_file,
        "rows": entry.shape[0],
        "columns": entry.shape[1],
        "dtype": entry.dtype,
        "shortest": min(lengths, default=0.0),
        "longest": max(lengths, default=0.0),
        "linked": len(job.linked),
        "verified": True,
        "seconds": round(time.monotonic() - begin, 3),
        "notes": notes,
    }
