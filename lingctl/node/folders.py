"""Folders that we fill, and links in them that somebody else put there.

Whoever may write in a folder may put a link where we are about to write, or where we read what we then give
on. Below a folder that was named to us no link is written through; of what links lead to, nothing is given on
that its owner keeps from others (``/etc/shadow``), and the rest is named.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, List, Tuple

from lingctl.node.files import FOLDER_MODE, kind_of
from lingctl.node.trouble import Trouble


def make_folder(path: str) -> None:
    """Make the folder, and those above it that are missing, all of mode 0750 whatever the umask.

    One that is there gets that mode too, but not where a link leads to it or everybody may put files into it
    (``/tmp``): these are somebody else's.

    Raises:
        OSError: it cannot be made, or is no folder.
    """
    missing: List[str] = []
    at = os.path.abspath(path)
    while not os.path.lexists(at):
        missing.append(at)
        at = os.path.dirname(at)
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):  # made by another one meanwhile
            os.mkdir(folder, FOLDER_MODE)
            _set_mode(folder)
    if kind_of(path) != "folder":
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if not missing and not os.path.islink(path) and not os.stat(path).st_mode & stat.S_ISVTX:
        _set_mode(path)


def _set_mode(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != FOLDER_MODE:
            os.fchmod(descriptor, FOLDER_MODE)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def inside(root: str, relative: str) -> Iterator[str]:
    """A folder below ``root``, made where it is missing, as a path that stays that folder's.

    No name below ``root`` is followed where it is a link, also not one that takes a folder's place while we
    work: the path goes over the folder's descriptor.

    Raises:
        Trouble: a link, or no folder, is in the way.
        OSError: it cannot be made.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    at = root
    try:
        for name in relative.split(os.sep) if relative else ():
            at = os.path.join(at, name)
            below = _enter(descriptor, name, at)
            os.close(descriptor)
            descriptor = below
        through = f"/proc/self/fd/{descriptor}"
        try:
            yield through
        except OSError as error:
            if isinstance(error.filename, str) and error.filename.startswith(through):
                error.filename = at + error.filename[len(through) :]
            raise
    finally:
        os.close(descriptor)


def _enter(parent: int, name: str, path: str) -> int:
    made = False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
        made = True
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise planted(path) from None
        error.filename = path
        raise
    if made:
        os.fchmod(descriptor, FOLDER_MODE)
    return descriptor


def planted(path: str) -> Trouble:
    """The error of something that is in the way of what is written: a link leads we know not where."""
    what = "is a link, and is not written through" if os.path.islink(path) else "is no folder"
    return Trouble(
        what,
        where=path,
        evidence=f"it leads to {os.readlink(path)!r}" if os.path.islink(path) else "",
        remedy="look who put it there; remove it, or name another folder",
        code="link-in-the-way",
    )


def need_folder(folder: str) -> None:
    """Refuse what is no folder of weights.

    Raises:
        Trouble: it is not there, or no folder.
        OSError: it cannot be looked at.
    """
    kind = kind_of(folder)
    if kind != "folder":
        what, remedy = (
            "no such folder" if kind == "absent" else "is no folder",
            "give the folder of the weights",
        )
        raise Trouble(what, where=folder, remedy=remedy, code="no-weights", exit_status=2)


def walked(folder: str) -> Iterator[Tuple[str, List[str], List[str]]]:
    """``os.walk``, but what is in a folder that cannot be read is not nothing. Raises OSError."""

    def refuse(error: OSError) -> None:
        raise error

    return os.walk(folder, onerror=refuse)


def visible(folder: str) -> Iterator[Tuple[str, List[str]]]:
    """Each folder from ``folder`` down, and the names of the files in it, but for hidden names.

    Nor is there what the root of a disk has for itself, which root alone may read.

    Raises:
        OSError: a folder cannot be read.
    """
    for here, folders, files in walked(folder):
        folders[:] = sorted(name for name in folders if name[0] != "." and name != "lost+found")
        yield here, sorted(name for name in files if name[0] != ".")


def need_no_links(folder: str, but: str = "") -> None:
    """Refuse links in a folder of our own, at any depth, but not in the folder ``but`` of others' making.

    Raises:
        Trouble: the first one.
        OSError: a folder cannot be read.
    """
    for here, folders, files in walked(folder):
        for name in sorted((*folders, *files)):
            if os.path.islink(os.path.join(here, name)):
                raise planted(os.path.join(here, name))
        folders[:] = [name for name in folders if here != folder or name != but]


def leads_out(folder: str, name: str) -> str:
    """Where a file below ``folder`` really is, if a link leads out of it; else empty.

    The caches of the hubs are no elsewhere: ``snapshots/REVISION`` is full of links to ``blobs`` beside it.
    """
    real, home = os.path.realpath(os.path.join(folder, name)), os.path.realpath(folder)
    homes = [home]
    if os.path.basename(os.path.dirname(home)) == "snapshots":
        homes.append(os.path.join(os.path.dirname(os.path.dirname(home)), "blobs"))
    return "" if any(real.startswith(one.rstrip(os.sep) + os.sep) for one in homes) else real


def need_open(folder: str, name: str) -> str:
    """The same as ``leads_out``, for a file that is given on.

    Raises:
        Trouble: it leads out, to a file that not everybody may read; or it has other names too, and somebody
            else could have put this one there.
        OSError: it cannot be looked at.
    """
    real, path = leads_out(folder, name), os.path.join(folder, name)
    found = os.stat(path)
    closed = not found.st_mode & stat.S_IROTH
    if closed and found.st_nlink > 1 and is_shared(os.stat(os.path.dirname(path))):
        raise Trouble(
            "has other names too, not everybody may read it, and others may write in its folder: not copied",
            where=path,
            remedy="look whose it is (find / -samefile); put a copy of it there if it belongs to the model",
            code="link-leads-out",
        )
    if real and closed:
        raise Trouble(
            "is a link to a file elsewhere that not everybody may read, and is not copied",
            where=os.path.join(folder, name),
            evidence=f"it leads to {real!r}",
            remedy="put the file itself there if it belongs to the model, or remove the link",
            code="link-leads-out",
        )
    return real


def is_shared(folder: os.stat_result, *owners: int) -> bool:
    """Whether others than root, we and ``owners`` may put files into a folder."""
    return bool(folder.st_mode & stat.S_IWOTH) or folder.st_uid not in (0, os.geteuid(), *owners)
