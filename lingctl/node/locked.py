"""A folder held by one run at a time, by a lock file in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import Iterator

from lingctl.node.trouble import Trouble


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
