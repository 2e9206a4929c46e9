"""Whether a folder of weights is whole and is the model that its config.json describes."""

from __future__ import annotations

import os
import shlex
from typing import Dict, List, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.stream import TensorReader, damaged, inflated
from lingctl.node.files import kind_of
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import Contents, contents_of, misfits
from lingctl.node.weights.manifest import (
    MANIFEST,
    Manifest,
    current_manifest,
    digest_of,
    read_manifest,
    sum_files,
)
from lingctl.node.weights.model_config import read_config
from lingctl.node.workers import Workers

_NO_MANIFEST = "no manifest to compare with: every byte could be read, but not whether it is the right one"


class Verified(NamedTuple):
    """What was found.

    Attributes:
        folder: that was checked.
        form: ``safetensors`` or ``bin``.
        files: number of files of weights.
        tensors: number of tensors.
        size: bytes of weights.
        full: whether every byte was read.
        digest: of the weights (see ``manifest.digest_of``); empty where it is not known.
        problems: why the folder is not sound; empty when it is.
        unknown: what could not be looked into: then it is neither sound nor damaged.
        in_the_way: files beside the weights that MindIE ends at.
        notes: what is odd but harmless, and what could not be checked.
    """

    folder: str
    form: str
    files: int
    tensors: int
    size: int
    full: bool
    digest: str
    problems: Tuple[Trouble, ...]
    unknown: Tuple[Trouble, ...]
    in_the_way: Tuple[Trouble, ...]
    notes: Tuple[str, ...]

    @property
    def state(self) -> str:
        """``sound``, ``damaged``, or ``unknown`` where something could not be looked into."""
        return "damaged" if self.problems else "unknown" if self.unknown else "sound"

    def as_document(self) -> Dict[str, object]:
        """Plain data."""
        return {
            "folder": self.folder,
            "state": self.state,
            "form": self.form,
            "files": self.files,
            "tensors": self.tensors,
            "bytes": self.size,
            "full": self.full,
            "digest": self.digest,
            "problems": [_as_document(problem) for problem in self.problems],
            "in_the_way": [_as_document(trouble) for trouble in self.in_the_way],
            "unknown": [_as_document(trouble) for trouble in self.unknown],
            "notes": list(self.notes),
        }


class _Found(NamedTuple):
    """What one check found; see ``Verified``."""

    problems: Tuple[Trouble, ...] = ()
    notes: Tuple[str, ...] = ()


def verify(folder: str, full: bool, report: Report) -> Verified:
    """Check headers, offsets, index, files and config.json against each other, and against the manifest.

    Args:
        folder: of the weights.
        full: also read every byte: SHA-256 against the manifest, CRC-32 inside PyTorch checkpoints.
        report: hears of progress.

    Raises:
        Trouble: no weights there.
        OSError: a file cannot be read.
    """
    contents = contents_of(folder)
    if contents.form == "none":
        raise contents.problems[0]
    manifest = read_manifest(folder)
    unread = _unread_manifest(folder) if manifest is None else ()
    found = [_Found(contents.problems, contents.notes), _compare_config(folder, contents)]
    if full:
        if contents.checkpoint:
            found.append(_Found(_damaged_records(contents.checkpoint, report)))
        sums: Optional[Manifest] = _sums(folder, contents, manifest, report)
        found.append(_changed(folder, manifest or {}, sums or {}))
        if manifest is None and not unread:
            found.append(_Found(notes=(_NO_MANIFEST,)))
    else:
        found.append(_Found(_wrong_sizes(folder, manifest or {})))
        sums = current_manifest(folder)
    return Verified(
        folder=folder,
        form=contents.form,
        files=len(contents.files),
        tensors=len(contents.tensors),
        size=contents.size,
        full=full,
        digest=digest_of(sums) if sums else "",
        problems=tuple(problem for part in found for problem in part.problems),
        unknown=(*contents.unknown, *unread),
        in_the_way=contents.in_the_way,
        notes=tuple(note for part in found for note in part.notes),
    )


def _unread_manifest(folder: str) -> Tuple[Trouble, ...]:
    """What stands in the place of a manifest and is none that can be read: no absence of one."""
    if kind_of(os.path.join(folder, MANIFEST)) == "absent":
        return ()
    what = "cannot be read as a manifest: nothing was compared with it"
    remedy = f"sum the files again: lingctl verify-weights {shlex.quote(folder)} --manifest"
    return (Trouble(what, where=MANIFEST, remedy=remedy, code="manifest-unread"),)


def _compare_config(folder: str, contents: Contents) -> _Found:
    config, _ = read_config(folder)
    if config is None:
        missing = Trouble(
            "missing, or no JSON object",
            where="config.json",
            remedy="download it again",
            code="model-config-missing",
        )
        named = any(trouble.where == "config.json" for trouble in contents.companions)
        return _Found(contents.companions if named else (missing, *contents.companions))
    return _Found((*contents.companions, *misfits(folder, contents)), contents.fit.notes)


def _damaged_records(checkpoint: Checkpoint, report: Report) -> Tuple[Trouble, ...]:
    """CRC-32 of every record of every zip file that carries them."""
    files = [file for file in checkpoint.files if file.checked]
    records = [record for file in files for record in file.records]
    owners = {
        (tensor_file.path, tensor.record.member): name
        for tensor_file in files
        for name, tensor in tensor_file.tensors.items()
    }
    workers = Workers()
    meter = Meter("checksums inside the checkpoint", sum(record.size for record in records), report)

    def one(record: Record) -> Optional[Trouble]:
        workers.check()
        found = _damage(record, repr(owners[(record.path, record.member)]))
        meter.add(record.size)
        return found

    return tuple(trouble for trouble in workers.each(one, records) if trouble is not None)


def _damage(record: Record, tensor: str) -> Optional[Trouble]:
    """What is wrong with the bytes of a record that has a checksum, if anything is."""
    if record.packed:
        try:
            for _ in inflated(record, tensor):
                pass
        except Trouble as trouble:
            return trouble
        return None
    stream = TensorReader()
    try:
        crc = stream.crc(record)
    finally:
        stream.close()
    return None if crc == record.crc else damaged(record, tensor, crc)


def _sums(folder: str, contents: Contents, manifest: Optional[Manifest], report: Report) -> Manifest:
    names = set(contents.files) | set(manifest or {})
    present = sorted(name for name in names if os.path.isfile(os.path.join(folder, name)))
    return sum_files(folder, present, report)


def _changed(folder: str, manifest: Manifest, sums: Manifest) -> _Found:
    problems: List[Trouble] = []
    notes: List[str] = []
    for name, entry in manifest.items():
        if name not in sums:
            problems.append(_gone(name))
        elif sums[name].sha256 != entry.sha256 and _edited_by_deploy(folder, name):
            notes.append("config.json was changed since the download; the original is config.json.bak")
        elif sums[name].sha256 != entry.sha256:
            problems.append(
                Trouble(
                    "is not what it was when the manifest was made",
                    where=name,
                    evidence=f"SHA-256 {sums[name].sha256}, manifest {entry.sha256}",
                    remedy="download or copy this file again",
                    code="file-differs",
                )
            )
    return _Found(tuple(problems), tuple(notes))


def _wrong_sizes(folder: str, manifest: Manifest) -> Tuple[Trouble, ...]:
    problems: List[Trouble] = []
    for name, entry in manifest.items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            problems.append(_gone(name))
        elif os.path.getsize(path) != entry.size and not _edited_by_deploy(folder, name):
            evidence = f"{os.path.getsize(path)} bytes, manifest {entry.size}"
            remedy = "download or copy this file again"
            what = "does not have the size in the manifest"
            problems.append(Trouble(what, where=name, evidence=evidence, remedy=remedy, code="file-differs"))
    return tuple(problems)


def _gone(name: str) -> Trouble:
    return Trouble("is missing", where=name, remedy="download or copy it again", code="file-missing")


def _edited_by_deploy(folder: str, name: str) -> bool:
    return name == "config.json" and os.path.exists(os.path.join(folder, "config.json.bak"))


def _as_document(problem: Trouble) -> Dict[str, str]:
    keys = ("what", "where", "evidence", "remedy", "code")
    return {key: str(getattr(problem, key)) for key in keys}
