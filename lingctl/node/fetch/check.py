"""Whether bytes that arrived are those that the source lists: size, and SHA-256 or git's id."""

from __future__ import annotations

import hashlib
import os
from typing import Optional, Tuple

from lingctl.node.checkpoint.identify import HEAD, POINTER, other_than_text
from lingctl.node.fetch.listing import HASH_OF_NOTHING, ListedFile
from lingctl.node.files import blocks_of, opened
from lingctl.node.trouble import Trouble


def check(path: str, file: ListedFile, digest: Optional[str]) -> Tuple[Optional[Trouble], str]:
    """What is wrong with the bytes at ``path``, if anything is, and their SHA-256.

    A Git-LFS pointer in the place of weights is wrong even where the source lists it: it was published so.

    Args:
        path: of the file.
        file: as listed.
        digest: its SHA-256, where it is known.
    """
    size = os.path.getsize(path)
    if size == 0 and file.size > 0:
        return _nothing(file), HASH_OF_NOTHING
    if size != file.size:
        return _problem(file, f"it has {size} bytes", _instead(path, size)), ""
    needs_git = bool(file.git) and not file.sha256
    sha256, git = (digest, "") if digest and not needs_git else digests_of(path, size, git=needs_git)
    if file.sha256 and sha256 != file.sha256:
        return _problem(file, f"its SHA-256 is {sha256}", _instead(path, size)), sha256
    if file.git and not file.sha256 and git != file.git:
        return _problem(file, f"its git id is {git}", _instead(path, size)), sha256
    instead = _instead(path, size)
    if instead and instead.code == POINTER:
        return _pointer(file), sha256
    return None, sha256


def digests_of(path: str, size: int, *, git: bool) -> Tuple[str, str]:
    """SHA-256 of a file, and with ``git`` git's id of it, in one reading."""
    sha256, blob = hashlib.sha256(), hashlib.sha1()
    blob.update(f"blob {size}\0".encode())
    with opened(path) as descriptor:
        for block in blocks_of(descriptor):
            sha256.update(block)
            if git:
                blob.update(block)
    return sha256.hexdigest(), blob.hexdigest() if git else ""


def _instead(path: str, size: int) -> Optional[Trouble]:
    with opened(path) as descriptor:
        return other_than_text(os.read(descriptor, HEAD), size, os.path.basename(path))


def _problem(file: ListedFile, found: str, instead: Optional[Trouble]) -> Trouble:
    what = f": it {instead.what}" if instead else ""
    return Trouble(
        f"{file.path} arrived as other bytes than the source lists{what}",
        evidence=f"listed: {_listed(file)}\narrived: {found}",
        code="wrong-bytes",
    )


def _nothing(file: ListedFile) -> Trouble:
    return Trouble(
        f"{file.path} arrived as other bytes than the source lists: nothing at all",
        evidence=f"listed: {_listed(file)}\narrived: nothing was read: it is empty",
        remedy="the source delivers nothing for this file: try another one (--source), or later",
        code="hash-of-nothing",
    )


def _pointer(file: ListedFile) -> Trouble:
    return Trouble(
        f"{file.path} is a Git-LFS pointer at the source too: the file itself was never put there",
        evidence=f"listed: {_listed(file)}",
        remedy="on a disk: git lfs pull in that folder; on a hub: another --revision, --endpoint or --source",
        code="lfs-pointer",
    )


def _listed(file: ListedFile) -> str:
    return f"{file.size} bytes, {file.sha256 or file.git}"
