"""SHA-256 of every file of a weights folder, kept beside them: "the same on all nodes" is one comparison.

A file is read once: as long as size and time of change stay, its sum stays. A run that was interrupted goes
on with the files that are left.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional

from lingctl.node.checkpoint.companions import find_companions
from lingctl.node.files import blocks_of, file_state, opened, read_json, write_whole
from lingctl.node.folders import need_folder
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.workers import Workers

MANIFEST = ".lingctl-manifest.json"
_WEIGHTS = (".safetensors", ".bin", ".index.json")
_VERSION = 1
# 5,000 files; JSON takes thirty times its size when it is read.
_LARGEST = 1_200_000


class FileSum(NamedTuple):
    """One file: SHA-256 in hexadecimal, bytes, and its state (size and time of change) when it was read."""

    sha256: str
    size: int
    state: str


Manifest = Dict[str, FileSum]


def digest_of(manifest: Mapping[str, FileSum], *, companions: bool = False) -> str:
    """SHA-256 over what ``sha256sum`` would print for the files of weights and their index, by name.

    Equal on two nodes exactly when both have the same weights. Tokenizer and configuration are not in it.

    Args:
        companions: of all other files instead: tokenizer, configuration, code.
    """
    names = sorted(name for name in manifest if name.endswith(_WEIGHTS) is not companions)
    lines = (f"{manifest[name].sha256}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_manifest(folder: str) -> Optional[Manifest]:
    """The manifest in ``folder``; None where there is none or it cannot be read as one."""
    path = os.path.join(folder, MANIFEST)
    try:
        content = read_json(path, _LARGEST)
        if content["version"] != _VERSION:
            return None
        return {
            str(name): FileSum(str(entry["sha256"]), int(entry["size"]), str(entry["state"]))
            for name, entry in content["files"].items()
        }
    except (OSError, Trouble, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def write_manifest(folder: str, manifest: Mapping[str, FileSum]) -> None:
    """Put the manifest on disk, whole."""
    content = {
        "version": _VERSION,
        "digest": digest_of(manifest),
        "companions_digest": digest_of(manifest, companions=True),
        "files": {name: manifest[name]._asdict() for name in sorted(manifest)},
    }
    write_whole(os.path.join(folder, MANIFEST), (json.dumps(content, indent=1) + "\n").encode())


def files_of(folder: str) -> List[str]:
    """Names, relative to the folder, of all that a manifest lists: weights, index and companions."""
    weights = [name for name in os.listdir(folder) if name.endswith(_WEIGHTS) and not name.startswith(".")]
    companions = [name for name in find_companions(folder, ()).names if not name.endswith(".bak")]
    return sorted({*weights, *companions})


def current_manifest(folder: str) -> Optional[Manifest]:
    """The manifest if it still describes the files that are there, without reading them; else None."""
    manifest = read_manifest(folder)
    if manifest is None or sorted(manifest) != files_of(folder):
        return None
    current = all(
        file_state(os.stat(os.path.join(folder, name))) == entry.state for name, entry in manifest.items()
    )
    return manifest if current else None


def make_manifest(folder: str, report: Report) -> Dict[str, object]:
    """Sum what has not been summed yet, write the manifest, and tell its digests.

    Raises:
        Trouble: no such folder, or a file changed while it was read.
        OSError: a file cannot be read.
    """
    need_folder(folder)
    before = read_manifest(folder) or {}
    names = files_of(folder)
    kept = {
        name: before[name]
        for name in names
        if name in before and before[name].state == file_state(os.stat(os.path.join(folder, name)))
    }
    waiting = [name for name in names if name not in kept]
    lock = threading.Lock()

    def note(name: str, entry: FileSum) -> None:
        with lock:
            kept[name] = entry
            write_manifest(folder, kept)

    sum_files(folder, waiting, report, note)
    if not waiting:
        write_manifest(folder, kept)
    return {
        "folder": folder,
        "digest": digest_of(kept),
        "companions_digest": digest_of(kept, companions=True),
        "files": len(kept),
        "bytes": sum(entry.size for entry in kept.values()),
        "read": len(waiting),
    }


def sum_files(
    folder: str, names: List[str], report: Report, note: Optional[Callable[[str, FileSum], None]] = None
) -> Manifest:
    """Read files side by side and sum them.

    Args:
        folder: that they are in.
        names: relative to it.
        report: hears of progress.
        note: gets each sum as it is found, from any thread.

    Raises:
        Trouble: a file changed while it was read, or is no regular file.
        OSError: a file cannot be read.
    """
    workers = Workers()
    total = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    tick = workers.ticking(Meter("checksums", total, report).add)

    def one(name: str) -> FileSum:
        path = os.path.join(folder, name)
        state = file_state(os.stat(path))
        digest = hashlib.sha256()
        size = 0
        with opened(path) as descriptor:
            for block in blocks_of(descriptor):
                digest.update(block)
                size += len(block)
                tick(len(block))
        if file_state(os.stat(path)) != state:
            remedy = "wait until nobody writes to it"
            raise Trouble("changed while it was read", where=path, remedy=remedy, code="source-changed")
        found = FileSum(digest.hexdigest(), size, state)
        if note:
            note(name, found)
        return found

    return dict(zip(names, workers.each(one, names)))
