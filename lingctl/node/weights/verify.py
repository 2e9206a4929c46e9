"""Whether a folder of weights is whole and is the model that its config.json describes."""

from __future__ import annotations

import os
import shlex
from contextlib import closing
from typing import Dict, Iterator, NamedTuple, Optional, Tuple, Union

from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.stream import TensorReader, damaged, inflated
from lingctl.node.files import kind_of
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import contents_of
from lingctl.node.weights.manifest import (
    MANIFEST,
    Manifest,
    current_manifest,
    digest_of,
    read_manifest,
    sum_files,
)
from lingctl.node.weights.model_config import read_config
from lingctl.node.weights.reading import Contents, misfits
from lingctl.node.workers import Workers

_NO_MANIFEST = "no manifest to compare with: every byte could be read, but not whether it is the right one"


class Verified(NamedTuple):
    """What was found."""

    folder: str  # that was checked
    contents: Contents  # of it
    full: bool  # whether every byte was read
    digest: str  # of the weights (see ``manifest.digest_of``); empty where it is not known
    problems: Tuple[Trouble, ...]  # why the folder is not sound; empty when it is
    unknown: Tuple[Trouble, ...]  # what could not be looked into: then it is neither sound nor damaged
    notes: Tuple[str, ...]  # what is odd but harmless, and what could not be checked

    @property
    def state(self) -> str:
        """``sound``, ``damaged``, or ``unknown`` where something could not be looked into."""
        return "damaged" if self.problems else "unknown" if self.unknown else "sound"

    def as_document(self) -> Dict[str, object]:
        """Plain data."""
        return {
            "folder": self.folder,
            "state": self.state,
            "form": self.contents.form,
            "files": len(self.contents.files),
            "tensors": len(self.contents.tensors),
            "bytes": self.contents.size,
            "full": self.full,
            "digest": self.digest,
            "problems": [_as_document(trouble) for trouble in self.problems],
            "in_the_way": [_as_document(trouble) for trouble in self.contents.in_the_way],
            "unknown": [_as_document(trouble) for trouble in self.unknown],
            "notes": list(self.notes),
        }


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
    problems = [*contents.problems, *_no_config(folder, contents), *misfits(folder, contents)]
    notes = [*contents.notes, *contents.fit.notes]
    if full and contents.checkpoint:
        problems += _damaged_records(contents.checkpoint, report)
    sums = _sums(folder, contents, manifest, report) if full else None
    for said in _changed(folder, manifest or {}, sums):
        problems += [said] if isinstance(said, Trouble) else []
        notes += [said] if isinstance(said, str) else []
    if full and manifest is None and not unread:
        notes.append(_NO_MANIFEST)
    known = current_manifest(folder) if sums is None else sums
    return Verified(
        folder=folder,
        contents=contents,
        full=full,
        digest=digest_of(known) if known else "",
        problems=tuple(problems),
        unknown=(*contents.unknown, *unread),
        notes=tuple(notes),
    )


def _unread_manifest(folder: str) -> Tuple[Trouble, ...]:
    """What stands in the place of a manifest and is none that can be read: no absence of one."""
    if kind_of(os.path.join(folder, MANIFEST)) == "absent":
        return ()
    what = "cannot be read as a manifest: nothing was compared with it"
    remedy = f"sum the files again: lingctl verify-weights {shlex.quote(folder)} --manifest"
    return (Trouble(what, where=MANIFEST, remedy=remedy, code="manifest-unread"),)


def _no_config(folder: str, contents: Contents) -> Tuple[Trouble, ...]:
    """Companions that are none, config.json among them."""
    known = any(trouble.where == "config.json" for trouble in contents.companions)
    if known or read_config(folder)[0] is not None:
        return contents.companions
    what, remedy = "missing, or no JSON object", "download it again"
    missing = Trouble(what, where="config.json", remedy=remedy, code="model-config-missing")
    return (missing, *contents.companions)


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
        owner = owners.get((record.path, record.member))  # none where the index does not list its tensor
        found = _damage(record, repr(owner) if owner is not None else "")
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
    with closing(TensorReader()) as stream:
        crc = stream.crc(record)
    return None if crc == record.crc else damaged(record, tensor, crc)


def _sums(folder: str, contents: Contents, manifest: Optional[Manifest], report: Report) -> Manifest:
    names = set(contents.files) | set(manifest or {})
    present = sorted(name for name in names if kind_of(os.path.join(folder, name)) == "file")
    return sum_files(folder, present, report)


def _changed(folder: str, manifest: Manifest, sums: Optional[Manifest]) -> Iterator[Union[Trouble, str]]:
    """What is not as the manifest has it, by ``sums`` of all that is there, else by sizes; or a note."""
    for name, entry in manifest.items():
        path = os.path.join(folder, name)
        what = evidence = ""
        if not (kind_of(path) == "file" if sums is None else name in sums):
            yield Trouble("is missing", where=name, remedy="download or copy it again", code="file-missing")
        elif sums is None and os.path.getsize(path) != entry.size:
            what = "does not have the size in the manifest"
            evidence = f"{os.path.getsize(path)} bytes, manifest {entry.size}"
        elif sums is not None and sums[name].sha256 != entry.sha256:
            what = "is not what it was when the manifest was made"
            evidence = f"SHA-256 {sums[name].sha256}, manifest {entry.sha256}"
        edited_by_deploy = name == "config.json" and kind_of(f"{path}.bak") != "absent"
        if what and not edited_by_deploy:
            remedy = "download or copy this file again"
            yield Trouble(what, where=name, evidence=evidence, remedy=remedy, code="file-differs")
        elif what and sums is not None:
            yield "config.json was changed since the download; the original is config.json.bak"


def _as_document(trouble: Trouble) -> Dict[str, str]:
    keys = ("what", "where", "evidence", "remedy", "code")
    return {key: str(getattr(trouble, key)) for key in keys}
