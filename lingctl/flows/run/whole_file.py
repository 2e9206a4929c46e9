"""Files that are written here: whole and on the disk under their name, or the earlier one stays as it was."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lingctl.errors import NodeError, UsageError
from lingctl.node.disk import disk_of
from lingctl.node.files import sync_folder
from lingctl.paths import is_file, is_folder, is_there, real
from lingctl.remote.local import LOCAL_NODE
from lingctl.remote.putting import write_error


def write_file(target: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file; see ``whole_file``."""
    with whole_file(target, mode) as file:
        file.write(content)


def write_inside(folder: Path, name: str, content: bytes, mode: int | None = None) -> None:
    """Write a file that we name below a folder that somebody else named, as ``name`` or ``folder/name``.

    A link in its place is replaced and not followed: nobody but us has to do with these names.

    Raises:
        OSError: it cannot be written, or a link to a folder is in its way.
    """
    target = folder / name
    if target.parent != folder and target.parent.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and is not written through", str(target.parent))
    with _beside(target, mode) as file:
        file.write(content)


@contextmanager
def whole_file(target: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file that takes its name when the block has ended well and all of it is on the disk.

    Args:
        target: the name; a device or a pipe of that name is written to as it is.
        mode: permission bits; those of the earlier file or the usual ones where it is None.

    Raises:
        OSError: it cannot be written (see ``no_room``), or is a link that another user made.
    """
    _need_own_link(target)
    target = real(target)
    if is_there(target) and not is_file(target) and not is_folder(target):
        with target.open("wb") as device:
            yield device
        return
    with _beside(target, mode) as file:
        yield file


@contextmanager
def told_if_unwritten(target: Path, remedy: str) -> Iterator[None]:
    """For a block that writes what somebody named, a file or a folder of files.

    Raises:
        NodeError: the disk is full.
        UsageError: it cannot be written there.
    """
    try:
        yield
    except OSError as error:
        what = f"cannot write {target}: {error.strerror or error}"
        failed = Path(str(error.filename or target))
        inside = str(failed) if target in failed.parents else ""
        raise no_room(error, target) or UsageError(
            what, evidence=inside, remedy=remedy, code="output"
        ) from error


def no_room(error: OSError, target: Path) -> NodeError | None:
    """The error of a disk of this machine that is full (``disk-full``); None where it is another trouble."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    place = error.filename or real(target)
    return write_error(str(place), error.strerror or str(error), disk_of(str(place)), LOCAL_NODE)


def _need_own_link(target: Path) -> None:
    """A link may be followed that this user, or root, put there: in ``/tmp`` anybody can put one."""
    if target.is_symlink() and target.lstat().st_uid not in (0, os.geteuid()):
        raise OSError(errno.ELOOP, "it is a link that another user made", str(target))


@contextmanager
def _beside(target: Path, mode: int | None) -> Iterator[BinaryIO]:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, _usual_mode(target) if mode is None else mode)
            yield file
            file.flush()
            os.fsync(handle)
        Path(part).replace(target)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)  # a write that fails does not tell of which file it was
        with contextlib.suppress(OSError):
            Path(part).unlink()
        raise
    sync_folder(str(target.parent))


def _usual_mode(target: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        found = target.lstat()
        if stat.S_ISREG(found.st_mode):
            return found.st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
