"""The folder being written: made if need be, locked against a second conversion, cleared of leftovers."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from typing import Iterator, List, Sequence

from lingctl.node.checkpoint.index import INDEX
from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.convert.assess import SCRATCH
from lingctl.node.convert.plan import Shard
from lingctl.node.files import part_name
from lingctl.node.folders import make_folder
from lingctl.node.trouble import Trouble

_LOCK = ".lingctl-convert.lock"


@contextlib.contextmanager
def workplace(folder: str) -> Iterator[None]:
    """Hold ``folder`` for one conversion; one that was made here and stays empty is taken away again.

    Raises:
        Trouble: another conversion is writing there.
    """
    made = not os.path.isdir(folder)
    if made:
        make_folder(folder)
    try:
        with _locked(folder):
            yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def forget_lock(folder: str) -> None:
    """Take away the lock file of a run that was killed after its last step; one that is held stays."""
    if os.path.lexists(os.path.join(folder, _LOCK)):
        with contextlib.suppress(Trouble, OSError), _locked(folder):
            pass


def leftovers(folder: str, shards: Sequence[Shard]) -> List[str]:
    """Paths of what an interrupted run left half done."""
    names = [part_name(name) for name in (*(shard.name for shard in shards), INDEX, RECEIPT)]
    paths = [os.path.join(folder, name) for name in (*names, SCRATCH)]
    return [path for path in paths if os.path.lexists(path)]


def remove(path: str) -> None:
    """Remove a file or a folder of ours, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    path = os.path.join(folder, _LOCK)
    descriptor = _take(path, folder)
    try:
        yield
    finally:
        # Removed while it is held: who waits for it finds that its file is gone, and takes a new one.
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _take(path: str, folder: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(descriptor)
                raise Trouble(
                    "another conversion is writing there",
                    where=folder,
                    remedy="wait for it to end",
                    code="locked",
                    exit_status=5,
                ) from None
            # Some network file systems have no locks; a conversion need not fail for that.
            return descriptor
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
