"""Files that a user names, read with a bound: no device, no pipe and no endless file can stop lingctl."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lingctl.errors import ConfigurationError


def read_given(path: Path, most: int, *, code: str, remedy: str = "", pipes: bool = False) -> bytes:
    """A file's bytes.

    Args:
        most: how many bytes it may have.
        code, remedy: of the error.
        pipes: a pipe will do as well, as shells give one for ``<(COMMAND)``.

    Raises:
        ConfigurationError: it is no ordinary file, cannot be read, or is larger.
        FileNotFoundError: it is not there.
    """
    try:
        # Opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if pipes else os.O_NONBLOCK))
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not (stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode))):
                raise ConfigurationError("is no ordinary file", where=str(path), remedy=remedy, code=code)
            content = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read: {error.strerror}", where=str(path), remedy=remedy, code=code
        ) from error
    if len(content) > most:
        raise ConfigurationError(
            f"is larger than {most >> 10} KiB, which no such file is",
            where=str(path),
            remedy=remedy,
            code=code,
        )
    return content
