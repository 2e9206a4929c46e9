"""The folder being written: made if need be, locked against a second conversion, cleared of leftovers."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Iterator, List, Sequence

from lingctl.node.checkpoint.index import INDEX
from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.convert.plan import Shard
from lingctl.node.files import part_name
from lingctl.node.folders import make_folder
from lingctl.node.locked import locked
from lingctl.node.trouble import Trouble

SCRATCH = ".lingctl-convert.scratch"
_LOCK, _DOING = ".lingctl-convert.lock", "conversion"


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
        with locked(os.path.join(folder, _LOCK), _DOING):
            yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def forget_lock(folder: str) -> None:
    """Take away the lock file of a run that was killed after its last step; one that is held stays."""
    if os.path.lexists(os.path.join(folder, _LOCK)):
        with contextlib.suppress(Trouble, OSError), locked(os.path.join(folder, _LOCK), _DOING):
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
