"""Whether a folder of weights is whole and is the model that its config.json describes."""

from __future__ import annotations

import os
from typing import Dict, List, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.folder import layout_of, legacy_files, read_source
from lingctl.node.checkpoint.stream import Stream, damaged
from lingctl.node.checkpoint.torch_file import Record
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import Contents, contents_of
from lingctl.node.weights.expected import judge
from lingctl.node.weights.inspect import read_config
from lingctl.node.weights.manifest import Manifest, current_manifest, digest_of, read_manifest, sum_files
from lingctl.node.workers import Workers


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
    notes: Tuple[str, ...]

    def as_document(self) -> Dict[str, object]:
        """Plain data; ``state`` is ``sound`` or ``damaged``."""
        return {
            "folder": self.folder,
            "state": "damaged" if self.problems else "sound",
            "form": self.form,
            "files": self.files,
            "tensors": self.tensors,
            "bytes": self.size,
            "full": self.full,
            "digest": self.digest,
            "problems": [_as_document(problem) for problem in self.problems],
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
        first = contents.problems[0]
        first.remedy, first.exit_status = "give the folder of the weights", 2
        raise first
    problems = list(contents.problems)
    notes = list(contents.notes)
    _compare_config(folder, contents, problems, notes)
    manifest = read_manifest(folder)
    if full and contents.form == "bin" and not contents.problems:
        _check_records(folder, problems, report)
    if full:
        found: Optional[Manifest] = _sums(folder, contents, manifest, report)
        problems += _changed(folder, manifest or {}, found or {}, notes)
    else:
        problems += _sizes(folder, manifest or {})
        found = current_manifest(folder)
    if full and manifest is None:
        notes.append(
            "no manifest to compare with: every byte could be read, but not whether it is the right one"
        )
    return Verified(
        folder,
        contents.form,
        len(contents.files),
        len(contents.tensors),
        contents.size,
        full,
        digest_of(found) if found else "",
        tuple(problems),
        tuple(notes),
    )


def _compare_config(folder: str, contents: Contents, problems: List[Trouble], notes: List[str]) -> None:
    config, _ = read_config(folder)
    if config is None:
        problems.append(
            Trouble(
                "missing, or no JSON object",
                where="config.json",
                remedy="download it again",
                code="model-config-missing",
            )
        )
        return
    # Files that could not be read leave gaps that say nothing about the model.
    if contents.problems or not contents.tensors:
        return
    verdict = judge(config, contents.tensors)
    if verdict.missing:
        more = f" and {len(verdict.missing) - 5} more" if len(verdict.missing) > 5 else ""
        problems.append(
            Trouble(
                f"{len(verdict.missing)} tensors are missing that config.json calls for",
                where=folder,
                evidence=", ".join(verdict.missing[:5]) + more,
                remedy="config.json and weights are not of one model, or the download is not whole",
                code="tensors-missing",
            )
        )
    remedy = "config.json and weights are not of one model: download both again"
    problems += [
        Trouble(text, where=folder, remedy=remedy, code="config-differs") for text in verdict.problems
    ]
    notes += verdict.notes


def _check_records(folder: str, problems: List[Trouble], report: Report) -> None:
    """CRC-32 of every record of every zip file that carries them."""
    layout = layout_of(folder)
    if legacy_files(layout):
        return
    files = [file for file in read_source(layout).files if file.checked]
    records = [record for file in files for record in file.records.values() if not record.packed]
    owners = {
        (tensor_file.path, tensor_file.records[tensor.storage.key].member): name
        for tensor_file in files
        for name, tensor in tensor_file.tensors.items()
    }
    workers = Workers()
    meter = Meter("checksums inside the checkpoint", sum(record.size for record in records), report)

    def one(record: Record) -> None:
        workers.check()
        stream = Stream()
        try:
            crc = stream.crc(record)
        finally:
            stream.close()
        if crc != record.crc:
            problems.append(damaged(record, repr(owners[(record.path, record.member)]), crc))
        meter.add(record.size)

    workers.each(one, records)


def _sums(folder: str, contents: Contents, manifest: Optional[Manifest], report: Report) -> Manifest:
    found: Manifest = {}
    names = set(contents.files) | set(manifest or {})
    present = sorted(name for name in names if os.path.isfile(os.path.join(folder, name)))
    sum_files(folder, present, report, found.__setitem__)
    return found


def _changed(folder: str, manifest: Manifest, found: Manifest, notes: List[str]) -> List[Trouble]:
    problems: List[Trouble] = []
    for name, entry in manifest.items():
        if name not in found:
            problems.append(_gone(name))
        elif found[name].sha256 != entry.sha256 and _edited_by_deploy(folder, name):
            notes.append("config.json was changed since the download; the original is config.json.bak")
        elif found[name].sha256 != entry.sha256:
            problems.append(
                Trouble(
                    "is not what it was when the manifest was made",
                    where=name,
                    evidence=f"SHA-256 {found[name].sha256}, manifest {entry.sha256}",
                    remedy="download or copy this file again",
                    code="file-differs",
                )
            )
    return problems


def _sizes(folder: str, manifest: Manifest) -> List[Trouble]:
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
    return problems


def _gone(name: str) -> Trouble:
    return Trouble("is missing", where=name, remedy="download or copy it again", code="file-missing")


def _edited_by_deploy(folder: str, name: str) -> bool:
    return name == "config.json" and os.path.exists(os.path.join(folder, "config.json.bak"))


def _as_document(problem: Trouble) -> Dict[str, str]:
    keys = ("what", "where", "evidence", "remedy", "code")
    return {key: str(getattr(problem, key)) for key in keys}
