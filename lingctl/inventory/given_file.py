"""Files that a user names, read with a bound: no device, no pipe and no endless file can stop lingctl."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from lingctl.errors import ConfigurationError


def with_home(name: str) -> Path:
    """A path as somebody wrote it, ``~`` and ``~NAME`` followed; as it stands where there is no such home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


class OddFileError(OSError):
    """It is no ordinary file, or larger than it may be; ``strerror`` says which."""


def read_bounded(path: Path, most: int, *, pipes: bool = False) -> bytes:
    """A file's bytes; the null device is an empty file.

    Args:
        most: how many bytes it may have.
        pipes: a pipe will do as well, as shells give one for ``<(COMMAND)``.

    Raises:
        OSError: it is not there, or cannot be read; ``OddFileError`` where it is what it should not be.
    """
    # Opening a pipe would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if pipes else os.O_NONBLOCK))
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        ordinary = stat.S_ISREG(seen.st_mode) or (pipes and stat.S_ISFIFO(seen.st_mode))
        if not ordinary and not os.path.samestat(seen, Path(os.devnull).stat()):
            raise OddFileError(errno.EINVAL, "is no ordinary file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OddFileError(errno.EFBIG, f"is larger than {most >> 10} KiB, which no such file is", str(path))
    return content


def read_given(path: Path, most: int, *, code: str, remedy: str = "", pipes: bool = False) -> bytes:
    """A file's bytes, as ``read_bounded`` reads them.

    Args:
        code, remedy: of the error.

    Raises:
        ConfigurationError: it is no ordinary file, cannot be read, or is larger.
        FileNotFoundError: it is not there.
    """
    try:
        return read_bounded(path, most, pipes=pipes)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = f"{error.strerror}" if isinstance(error, OddFileError) else f"cannot be read: {error.strerror}"
        raise ConfigurationError(what, where=str(path), remedy=remedy, code=code) from error
