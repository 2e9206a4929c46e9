"""What is held by one run at a time, by the lock of a file or folder: it ends with the process, however that
ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from typing import Iterator

from lingctl.node.trouble import Trouble


@contextlib.contextmanager
def held(
    path: str, busy: Trouble, *, flags: int = os.O_RDWR | os.O_CREAT, patience: float = 0.0
) -> Iterator[int]:
    """Hold the lock of a file while the block runs; gives its descriptor. No link is followed.

    Args:
        path: of the file, which is made where it is missing; with other ``flags``, as they say.
        busy: raised where another one holds it.
        patience: seconds until that counts: who only looks has it for a moment.

    Raises:
        Trouble: see ``busy``.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise busy from None
            time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: str, doing: str) -> Iterator[None]:
    """Hold the lock file ``path``; it is taken away at the end.

    Args:
        doing: what another one does that holds it, for people.

    Raises:
        Trouble: another one holds it.
    """
    descriptor = _take(path, doing)
    try:
        yield
    finally:
        # Removed while it is held: who waits for it finds that its file is gone, and takes a new one.
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _take(path: str, doing: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(descriptor)
                raise Trouble(
                    f"another {doing} is writing there",
                    where=os.path.dirname(path),
                    remedy="wait for it to end",
                    code="locked",
                    exit_status=5,
                ) from None
            # Some network file systems have no locks; the work need not fail for that.
            return descriptor
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
