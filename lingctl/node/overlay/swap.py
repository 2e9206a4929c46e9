"""Put a folder in the place of another, so that a kill at any moment leaves the one or the other.

The new folder is made complete beside the tree's models, in a work folder whose name no importer takes for
a package. A journal outside the tree says what was intended; ``recover`` reads it on the next run.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from typing import Callable, Mapping, Optional

from lingctl.node.files import FOLDER_MODE, create, kind_of, sync_folder
from lingctl.node.overlay.store import OverlayJournal, Store, copy_folder, own
from lingctl.node.overlay.tree import Tree, folder_files
from lingctl.node.trouble import Trouble

_EXCHANGE = 2
_AT_FDCWD = -100

Fill = Callable[[str], None]


def work_folder(tree: Tree, change: str) -> str:
    """Where a change prepares what it swaps in: on the tree's own file system."""
    return os.path.join(tree.root, f".lingctl-{change}")


def replace_folder(tree: Tree, store: Store, change: OverlayJournal, fill: Optional[Fill] = None) -> None:
    """Replace the overlay's folder, or remove it, and record that.

    Args:
        change: what is meant.
        fill: makes the new folder at the path it is given; None to remove the old one only.

    Raises:
        Trouble: what was written is not what was meant; everything is as before.
        OSError: the disk or the rights; what was begun is undone on the next run.
    """
    work = work_folder(tree, change.change)
    store.keep_journal(change)
    if change.backup:
        copy_folder(tree.target, os.path.join(store.backups, change.backup))
    os.mkdir(work, 0o700)
    new, old = os.path.join(work, "new"), os.path.join(work, "old")
    if fill is not None:
        fill(new)
        if folder_files(new) != change.after:
            recover(tree, store)
            raise Trouble(
                "the files read back differ from those written",
                where=new,
                remedy="check the disk (dmesg)",
                code="overlay-read-back",
            )
        _put(new, tree.target, old)
    else:
        _set_aside(tree.target, old)
    sync_folder(os.path.dirname(tree.target))
    recover(tree, store)


def recover(tree: Tree, store: Store) -> str:
    """End a change that was begun: forward if its folder is in place, else back. Returns what was done.

    The tree must be locked. Doing it twice does no harm.
    """
    journal = store.journal()
    if journal is None:
        return ""
    work = work_folder(tree, journal.change)
    old = os.path.join(work, "old")
    if folder_files(tree.target) == journal.after:
        store.keep_receipt(journal.receipt)
        word = "finished"
    else:
        if kind_of(old) == "folder":
            # Where it had to be copied, the original may be half gone.
            shutil.rmtree(tree.target, ignore_errors=True)
            os.rename(old, tree.target)
            sync_folder(os.path.dirname(tree.target))
        if journal.backup:
            shutil.rmtree(os.path.join(store.backups, journal.backup), ignore_errors=True)
        word = "undone"
    _end(tree, store, work)
    return word


def write_folder(folder: str, files: Mapping[str, bytes], like: os.stat_result) -> None:
    """Make a folder of files, to the disk, with the modes that MindIE demands and a neighbour's owner."""
    os.mkdir(folder, FOLDER_MODE)
    os.chmod(folder, FOLDER_MODE)
    for name, content in files.items():
        path = os.path.join(folder, name)
        with os.fdopen(create(path), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        own(path, like)
    own(folder, like)
    sync_folder(folder)


def _end(tree: Tree, store: Store, work: str) -> None:
    if kind_of(work) != "absent":
        shutil.rmtree(work)
        sync_folder(tree.root)
    store.keep_journal(None)


def _put(new: str, target: str, old: str) -> None:
    if not os.path.lexists(target):
        os.rename(new, target)
    elif not _exchange(new, target):
        _set_aside(target, old)
        os.rename(new, target)


def _set_aside(target: str, old: str) -> None:
    """Move a folder away; where that cannot be, copy it whole before it is removed.

    In a container's own file system a folder of the image cannot be renamed (overlayfs says EXDEV).
    """
    try:
        os.rename(target, old)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_folder(target, f"{old}.part")
        os.rename(f"{old}.part", old)
        sync_folder(os.path.dirname(old))
        shutil.rmtree(target)


def _exchange(one: str, other: str) -> bool:
    """Swap two folders in one step, where the kernel and the file system can."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    if function(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), other)
