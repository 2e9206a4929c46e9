"""What lingctl keeps about a tree, outside of it: receipt, backups, and the journal of a change under way."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from typing import Dict, Iterator, Mapping, Optional, cast

from lingctl.node.files import sync_folder, write_whole
from lingctl.node.folders import make_folder
from lingctl.node.overlay.tree import Tree
from lingctl.node.trouble import Trouble

_SYSTEM = "/var/lib/lingctl/atb"
# For users who may not write there, and for tests.
STATE_VARIABLE = "LINGCTL_ATB_STATE"

Document = Dict[str, object]


class Store:
    """The folder of one tree's records."""

    def __init__(self, tree: Tree) -> None:
        name = hashlib.sha256(tree.root.encode()).hexdigest()[:16]
        self.folder = os.path.join(_home(), name)
        self.root = tree.root

    @property
    def backups(self) -> str:
        """Folder of what was replaced."""
        return os.path.join(self.folder, "backups")

    def receipt(self) -> Optional[Document]:
        """What was applied and on what, or None."""
        return self._read("receipt.json")

    def journal(self) -> Optional[Document]:
        """The change under way, or None."""
        return self._read("journal.json")

    def keep_receipt(self, receipt: Optional[Mapping[str, object]]) -> None:
        """Write the receipt, or remove it."""
        self._keep("receipt.json", receipt)

    def keep_journal(self, journal: Optional[Mapping[str, object]]) -> None:
        """Write the journal, or remove it: the change is over."""
        self._keep("journal.json", journal)

    def tidy(self) -> None:
        """Remove the records' folder when nothing is kept in it any more."""
        for folder in (self.backups, self.folder):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def _read(self, name: str) -> Optional[Document]:
        path = os.path.join(self.folder, name)
        try:
            with open(path, encoding="utf-8") as file:
                return cast(Document, json.load(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Trouble(
                f"lingctl's record of this tree cannot be read: {error}",
                where=path,
                remedy="look at it; without it lingctl cannot tell what to restore",
                code="overlay-record",
            ) from error

    def _keep(self, name: str, document: Optional[Mapping[str, object]]) -> None:
        path = os.path.join(self.folder, name)
        if document is not None:
            make_folder(self.folder)
            write_whole(path, json.dumps(document, indent=1).encode())
        elif os.path.exists(path):
            os.unlink(path)
            sync_folder(self.folder)


def _home() -> str:
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return named
    if os.geteuid() == 0:
        return _SYSTEM
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "lingctl", "atb")


@contextlib.contextmanager
def locked(tree: Tree) -> Iterator[None]:
    """Hold the tree while the block runs. The lock is on its models folder, so nothing is left behind.

    Raises:
        Trouble: another process holds it (code ``locked``).
    """
    descriptor = os.open(os.path.dirname(tree.target), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(
                "another process is changing this tree",
                where=tree.root,
                remedy="wait for it to end, and try again",
                code="locked",
                exit_status=5,
            ) from None
        yield
    finally:
        os.close(descriptor)


def copy_folder(source: str, target: str) -> None:
    """Copy a folder with its modes and owners, to the disk; a copy that was begun before is made anew."""
    shutil.rmtree(target, ignore_errors=True)
    make_folder(os.path.dirname(target))
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for place, folders, files in os.walk(target):
        for name in folders + files:
            copied = os.path.join(place, name)
            _same_owner(os.path.join(source, os.path.relpath(copied, target)), copied)
        for name in files:
            sync_file(os.path.join(place, name))
        sync_folder(place)
    _same_owner(source, target)
    sync_folder(os.path.dirname(target))


def sync_file(path: str) -> None:
    """Make a file's content survive a power failure."""
    if os.path.islink(path):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _same_owner(source: str, target: str) -> None:
    if os.geteuid() == 0:
        status = os.lstat(source)
        os.lchown(target, status.st_uid, status.st_gid)
