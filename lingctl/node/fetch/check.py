"""Whether bytes that arrived are those that the source lists: size, and SHA-256 or git's id."""

from __future__ import annotations

import hashlib
import os
from typing import Optional, Tuple

from lingctl.node.fetch.listing import HASH_OF_NOTHING, ListedFile
from lingctl.node.trouble import Trouble

_BLOCK = 4 << 20


def check(path: str, file: ListedFile, digest: Optional[str]) -> Tuple[Optional[Trouble], str]:
    """What is wrong with the bytes at ``path``, if anything is, and their SHA-256.

    Args:
        path: of the file.
        file: as listed.
        digest: its SHA-256, where it is known.
    """
    size = os.path.getsize(path)
    if size == 0 and file.size > 0:
        return _problem(file, "nothing was read: it is empty", HASH_OF_NOTHING), HASH_OF_NOTHING
    if size != file.size:
        return _problem(file, f"it has {size} bytes", ""), ""
    needs_git = bool(file.git) and not file.sha256
    sha256, git = (digest, "") if digest and not needs_git else digests_of(path, size, git=needs_git)
    if file.sha256 and sha256 != file.sha256:
        return _problem(file, f"its SHA-256 is {sha256}", sha256), sha256
    if file.git and not file.sha256 and git != file.git:
        return _problem(file, f"its git id is {git}", git), sha256
    return None, sha256


def digests_of(path: str, size: int, *, git: bool) -> Tuple[str, str]:
    """SHA-256 of a file, and with ``git`` git's id of it, in one reading."""
    sha256, blob = hashlib.sha256(), hashlib.sha1()
    blob.update(f"blob {size}\0".encode())
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(_BLOCK))
        while True:
            count = file.readinto(buffer)
            if not count:
                return sha256.hexdigest(), blob.hexdigest() if git else ""
            sha256.update(buffer[:count])
            if git:
                blob.update(buffer[:count])


def _problem(file: ListedFile, found: str, digest: str) -> Trouble:
    listed = f"{file.size} bytes, {file.sha256 or file.git}"
    nothing = digest == HASH_OF_NOTHING
    return Trouble(
        f"{file.path} arrived as other bytes than the source lists",
        evidence=f"listed: {listed}\narrived: {found}",
        remedy="run it again; if it stays so, a proxy or the source itself changes the bytes"
        if not nothing
        else "the source delivers nothing for this file: try another one (--source), or later",
        code="wrong-bytes" if not nothing else "hash-of-nothing",
    )
