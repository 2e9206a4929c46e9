"""Hints to Linux that make large copies quicker; each is left out where the system has not got it."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Callable, Optional

_SYNC_FILE_RANGE_WRITE = 2


def _function(name: str, *arguments: type) -> Optional[Callable[..., int]]:
    try:
        return ctypes.CFUNCTYPE(ctypes.c_int, *arguments, use_errno=True)((name, ctypes.CDLL(None)))
    except AttributeError:
        return None


_fallocate = _function("fallocate", ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_sync_file_range = _function("sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def reserve(descriptor: int, size: int) -> None:
    """Give the file its full size, with the blocks reserved where the file system can.

    The system call itself, not posix_fallocate: that one writes every block where support is missing.

    Raises:
        OSError: no space left.
    """
    if size and _fallocate is not None and _fallocate(descriptor, 0, 0, size) != 0:
        code = ctypes.get_errno()
        if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(code, os.strerror(code))
    os.ftruncate(descriptor, size)


def start_writing(descriptor: int, offset: int, count: int) -> None:
    """Ask for a written range to go to the disk now, without waiting: the final fsync is then short."""
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, count, _SYNC_FILE_RANGE_WRITE)


def read_ahead(descriptor: int, offset: int, count: int) -> None:
    """Say that a range will be read soon."""
    try:
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_WILLNEED)
    except (OSError, AttributeError):
        return
