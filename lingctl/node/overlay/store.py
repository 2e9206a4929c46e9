"""What lingctl keeps about a tree, outside of it: receipt, backups, and the journal of a change under way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from typing import Callable, ContextManager, Mapping, Optional, TypeVar

from lingctl.node.files import kind_of, read_json, sync_folder, write_whole
from lingctl.node.folders import make_folder, walked
from lingctl.node.locked import held
from lingctl.node.overlay.tree import Tree
from lingctl.node.trouble import Trouble

_SYSTEM = "/var/lib/lingctl/atb"
# For users who may not write there, and for tests.
STATE_VARIABLE = "LINGCTL_ATB_STATE"

T = TypeVar("T")


@dataclass(frozen=True)
class OverlayReceipt:
    """What was applied and on what."""

    schema: int
    version: str  # of the overlay
    root: str
    files: Mapping[str, str]  # sha256 of each of the overlay's
    watched: Mapping[str, Optional[str]]  # sha256 of each stock file, None for one that was not there
    before: Optional[Mapping[str, str]]  # the tree before the first apply, where that was ours
    backup: str  # name of the copy of what the first apply replaced; empty for none
    time: str  # UTC


@dataclass(frozen=True)
class OverlayJournal:
    """A change under way."""

    operation: str
    change: str  # its name, from ``new_id``
    after: Optional[Mapping[str, str]] = None  # sha256 of the new folder's files; None without one
    receipt: Optional[Mapping[str, object]] = None  # the record to keep afterwards; None for none
    backup: str = ""  # name of the backup made now of what is there; it goes if the change is undone


def new_id() -> str:
    """A name for one change, or for one backup."""
    return secrets.token_hex(4)


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

    def receipt(self) -> Optional[OverlayReceipt]:
        """What was applied and on what, or None."""
        return self._read("receipt.json", OverlayReceipt)

    def journal(self) -> Optional[OverlayJournal]:
        """The change under way, or None."""
        return self._read("journal.json", OverlayJournal)

    def keep_receipt(self, receipt: Optional[Mapping[str, object]]) -> None:
        """Write the receipt, or remove it."""
        self._keep("receipt.json", receipt)

    def keep_journal(self, journal: Optional[OverlayJournal]) -> None:
        """Write the journal, or remove it: the change is over."""
        self._keep("journal.json", asdict(journal) if journal else None)

    def tidy(self) -> None:
        """Remove the records' folder when nothing is kept in it any more."""
        for folder in (self.backups, self.folder):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def _read(self, name: str, kind: Callable[..., T]) -> Optional[T]:
        path = os.path.join(self.folder, name)
        try:
            return kind(**read_json(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            why = "it has not what lingctl writes there" if isinstance(error, TypeError) else error
            raise Trouble(
                f"lingctl's record of this tree cannot be read: {why}",
                where=path,
                remedy="look at it; without it lingctl cannot tell what to restore",
                code="overlay-record",
            ) from error

    def _keep(self, name: str, document: Optional[Mapping[str, object]]) -> None:
        path = os.path.join(self.folder, name)
        if document is not None:
            make_folder(self.folder)
            write_whole(path, json.dumps(document, indent=1).encode())
        elif kind_of(path) != "absent":
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


def alone_in(tree: Tree) -> ContextManager[object]:
    """Hold the tree while the block runs. The lock is on its models folder, so nothing is left behind.

    Raises:
        Trouble: another process holds it (code ``locked``).
    """
    busy = Trouble(
        "another process is changing this tree",
        where=tree.root,
        remedy="wait for it to end, and try again",
        code="locked",
        exit_status=5,
    )
    return held(os.path.dirname(tree.target), busy, flags=os.O_RDONLY | os.O_DIRECTORY)


def copy_folder(source: str, target: str) -> None:
    """Copy a folder with its modes and owners, to the disk; a copy that was begun before is made anew."""
    shutil.rmtree(target, ignore_errors=True)
    make_folder(os.path.dirname(target))
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for place, folders, files in walked(target):
        for name in folders + files:
            copied = os.path.join(place, name)
            own(copied, os.lstat(os.path.join(source, os.path.relpath(copied, target))))
        for name in files:
            sync_file(os.path.join(place, name))
        sync_folder(place)
    own(target, os.lstat(source))
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


def own(path: str, like: os.stat_result) -> None:
    """Give a path another's owner and group, where we may."""
    if os.geteuid() == 0:
        os.lchown(path, like.st_uid, like.st_gid)
