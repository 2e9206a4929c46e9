"""What a repository holds: path, size and digest of every file, as the hub lists them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import Iterable, List, Mapping, NamedTuple, Tuple

from lingctl.node.trouble import Trouble

# SHA-256 of no bytes at all: what a broken upload or a failed read leaves behind.
HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_GIT = re.compile(r"^[0-9a-f]{40}$")
# What stands beside the weights and is lingctl's own: state of the download, manifest, receipts.
HIDDEN = ".download"
_OWN = re.compile(rf"^({re.escape(HIDDEN)}(/|$)|\.lingctl-)")


class ListedFile(NamedTuple):
    """One file as the source lists it."""

    path: str  # relative, with ``/``
    size: int  # bytes
    sha256: str  # of its content; empty where the source gives a git id instead
    git: str = ""  # git's id of the content (SHA-1), as Hugging Face lists small files


def read_listing(entries: object, where: str) -> Tuple[ListedFile, ...]:
    """The files of a listing, sorted by path, without lingctl's own: a folder may be published with them.

    Args:
        entries: list of mappings with ``path``, ``size``, ``sha256`` and perhaps ``git``.
        where: what to name in errors.

    Raises:
        Trouble: it is empty, or an entry cannot be trusted: a path that leaves the folder, no digest, or the
            hash of nothing for a file that is not empty.
    """
    if not isinstance(entries, list):
        raise Trouble("there is no list of files", where=where, code="hub-list-empty")
    listed = [_read_entry(entry, where) for entry in entries]
    files = [file for file in listed if not _OWN.match(file.path)]
    if not files:
        raise Trouble("the list of files is empty", where=where, code="hub-list-empty")
    twice = sorted(path for path, count in Counter(file.path for file in files).items() if count > 1)
    if twice:
        raise Trouble(f"lists {twice[0]} twice", where=where, code="hub-list-broken")
    return tuple(sorted(files))


def total_size(files: Iterable[ListedFile]) -> int:
    """Bytes in all."""
    return sum(file.size for file in files)


def _read_entry(entry: object, where: str) -> ListedFile:
    if not isinstance(entry, Mapping):
        raise Trouble("the list of files is not one of mappings", where=where, code="hub-list-broken")
    path, size = entry.get("path"), entry.get("size")
    sha256, git = str(entry.get("sha256") or "").lower(), str(entry.get("git") or "").lower()
    if not isinstance(path, str) or not _stays_inside(path):
        raise Trouble(f"lists a file outside the folder: {path!r}", where=where, code="hub-list-broken")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Trouble(f"lists {path} without a size", where=where, code="hub-list-broken")
    if sha256 == HASH_OF_NOTHING and size > 0:
        raise Trouble(
            f"lists the SHA-256 of nothing for {path}, which has {size} bytes: its upload there went wrong",
            where=where,
            evidence=f"{HASH_OF_NOTHING}  {path}",
            code="hub-hash-of-nothing",
        )
    if not _SHA256.match(sha256) and not _GIT.match(git):
        raise Trouble(
            f"lists {path} without a digest: it could not be verified", where=where, code="hub-no-digest"
        )
    return ListedFile(path, size, sha256, git)


def _stays_inside(path: str) -> bool:
    parts: List[str] = path.split("/")
    return bool(path) and "\\" not in path and "\0" not in path and not {"", ".", ".."} & set(parts)
