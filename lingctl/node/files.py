"""Files written whole or not at all, with the modes MindIE demands."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from typing import Any, BinaryIO, Iterator, Union

from lingctl.node.disk import disk_of
from lingctl.node.foreign_json import foreign_json
from lingctl.node.trouble import Trouble

# MindIE 3.0.0 refuses a weight folder above 0750 and files above 0640 (src/utils/safe_path.cpp).
FOLDER_MODE = 0o750
FILE_MODE = 0o640
# Bytes that are written at once. Linux gives a larger write memory in larger pieces, which nobody has touched
# for long; it cost up to ten times as much here, on a virtual machine (docs/performance.md).
PORTION = 1 << 17
_BLOCK = 1 << 20


@contextlib.contextmanager
def new_file(path: str, *, sync: bool = True) -> Iterator[int]:
    """A file being written under another name beside ``path``, open for reading and writing.

    It becomes ``path`` when the block ends well, else it is removed.

    Args:
        sync: make the new name survive a power failure at once; else `sync_folder` must follow.
    """
    part = part_name(path)
    try:
        descriptor = create(part)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        os.replace(part, path)
        if sync:
            sync_folder(os.path.dirname(path))
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path  # a write that fails does not tell of which file it was
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def part_name(path: str) -> str:
    """The temporary name of a file being written."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.part")


def create(path: str) -> int:
    """A new empty file of mode 0640, open for reading and writing; one of that name is replaced.

    Never follows a link that someone put there.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    os.fchmod(descriptor, FILE_MODE)
    return descriptor


def write_whole(path: str, data: bytes, *, sync: bool = True) -> None:
    """Write a small file: complete, or not at all; and on disk, unless ``sync`` is false."""
    with new_file(path, sync=sync) as descriptor:
        write_at(descriptor, data, 0)
        if sync:
            os.fsync(descriptor)


def open_log(path: str) -> BinaryIO:
    """A log to write at its end, of mode 0640 whatever the umask. Raises OSError: also where it is a link."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, FILE_MODE)
    with contextlib.suppress(PermissionError):  # another user began it
        os.fchmod(descriptor, FILE_MODE)
    return os.fdopen(descriptor, "ab", buffering=0)


def write_all(file: BinaryIO, data: Union[bytes, memoryview]) -> None:
    """Write all of it to a file without a buffer, which may take a part and say so, as a full disk does.

    Raises:
        OSError: it cannot be written.
    """
    left = memoryview(data)
    while left:
        left = left[file.write(left[:PORTION]) :]


def write_at(descriptor: int, data: Union[bytes, memoryview], place: int) -> None:
    """Write all of it from ``place`` on. Raises OSError: it cannot be written."""
    view, done = memoryview(data), 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done : done + PORTION], place + done)


def read_at(descriptor: int, target: memoryview, place: int) -> int:
    """Fill ``target`` from ``place`` on; gives how many bytes there were, fewer where the file ends."""
    done = 0
    while done < len(target):
        step = os.preadv(descriptor, [target[done:]], place + done)
        if not step:
            break
        done += step
    return done


def copy_file(source: str, target: str) -> None:
    """A copy at ``target``, whole and on disk or not at all.

    Raises:
        Trouble: the source is no regular file.
        OSError: the disk, or the rights.
    """
    place = 0
    with opened(source) as reader, new_file(target, sync=False) as writer:
        for block in blocks_of(reader):
            write_at(writer, block, place)
            place += len(block)
        os.fsync(writer)


def sync_folder(path: str) -> None:
    """Make renames in the folder survive a power failure."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def free_space(path: str) -> int:
    """Bytes that this user may still write where ``path`` is or will be. Raises OSError: see ``kind_of``."""
    while kind_of(path) == "absent":
        path = os.path.dirname(os.path.abspath(path))
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def need_space(folder: str, needed: int, freed: int = 0) -> None:
    """Raises Trouble: ``folder`` has no room for so many bytes, also when ``freed`` others are removed."""
    free = free_space(folder) + freed
    if needed > free:
        raise Trouble(
            "not enough space on the disk",
            where=folder,
            evidence=f"{needed} bytes needed, {free} free",
            remedy=f"free {needed - free} bytes, or name a folder on another disk",
            code="disk-full",
        )


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """The file, open for reading; see ``open_regular``."""
    descriptor = open_regular(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_regular(path: str) -> int:
    """A descriptor of the file, for reading.

    Raises:
        Trouble: no regular file: a pipe would be waited for, and a device has no end.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Trouble(
            "is no regular file",
            where=path,
            remedy="give a file with its content in it, no pipe, device or folder",
            code="no-regular-file",
        )
    return descriptor


def blocks_of(descriptor: int) -> Iterator[memoryview]:
    """What a file holds from where it is read, in blocks, each good until the next one is asked for."""
    buffer = memoryview(bytearray(_BLOCK))
    while count := os.readv(descriptor, [buffer]):
        yield buffer[:count]


def sha256_of(path: str) -> str:
    """SHA-256 of a regular file of any size; see ``open_regular``."""
    digest = hashlib.sha256()
    with opened(path) as descriptor:
        for block in blocks_of(descriptor):
            digest.update(block)
    return digest.hexdigest()


def read_small(path: str, most: int) -> bytes:
    """All of a small file, whatever size it claims to have.

    Raises:
        Trouble: no regular file, or larger than ``most`` bytes.
        OSError: it cannot be read.
    """
    data = b""
    with opened(path) as descriptor:
        while len(data) <= most:
            block = os.read(descriptor, most + 1 - len(data))
            if not block:
                return data
            data += block
    raise Trouble(f"larger than {most} bytes", where=path, code="file-too-large")


def read_json(path: str, most: int = 64 << 20) -> Any:  # noqa: ANN401  (nothing is known of it yet)
    """What a file of JSON says that somebody may have changed.

    Raises:
        ValueError: it is not JSON.
        Trouble: see ``read_small``.
        OSError: it cannot be read.
    """
    return foreign_json(read_small(path, most))


def kind_of(path: str) -> str:
    """``folder``, ``file``, ``other`` or ``absent``: what cannot be looked at is none of them.

    Raises:
        OSError: it cannot be looked at: a dead mount, a disk error, a folder that may not be entered.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def file_state(found: os.stat_result) -> str:
    """Size and time of change: another one as soon as somebody writes to the file."""
    return f"{found.st_size} {found.st_mtime_ns}"


def system_trouble(error: OSError, where: str = "") -> Trouble:
    """An error of the operating system as one a user can act on."""
    place = where or str(error.filename or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _no_room(error, place)
    if error.errno == errno.EFBIG:
        remedy = "write smaller files (--max-shard-size), or lift the limit (ulimit -f)"
        return Trouble("a file this large is not allowed here", where=place, remedy=remedy, code="file-limit")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "run it as the owner of the folder, or choose another destination"
        return Trouble(f"not allowed: {error.strerror}", where=place, remedy=remedy, code="not-allowed")
    if error.errno == errno.EIO:
        remedy = "check the disk (dmesg, smartctl); copy the file elsewhere and try again"
        return Trouble("the disk cannot read or write this", where=place, remedy=remedy, code="disk-error")
    return Trouble(f"{error.strerror or error}", where=place, code="system")


def _no_room(error: OSError, place: str) -> Trouble:
    disk = disk_of(str(error.filename or place)) if error.filename or place else None
    what, look = "the disk is full", "df -h"
    if error.errno == errno.EDQUOT:
        what = "the quota on the disk is used up"
    elif disk and disk.has_no_inode:
        what, look = "the disk has no inode left", "df -i"
    look = f"{look} {disk.mount}" if disk else look
    return Trouble(
        what,
        where=place,
        evidence="\n".join(disk.lines) if disk else "",
        remedy=f"free some space ({look}) and run it again: what is complete is kept",
        code="disk-full",
    )
