"""What takes long to make and is only read: made by one worker of pytest, and found by the others."""

from __future__ import annotations

import atexit
import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

# The place that all workers of a run have, where there are several (conftest.py).
FOLDER: list[Path] = []


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder that ``make`` has filled, whichever worker asked first; not to be changed."""
    if not FOLDER:
        alone = Path(tempfile.mkdtemp(prefix=f"lingctl-{name}-"))
        atexit.register(shutil.rmtree, alone, ignore_errors=True)
        make(alone)
        return alone
    folder = FOLDER[0] / name
    with (FOLDER[0] / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=FOLDER[0]))
            make(unfinished)
            unfinished.rename(folder)
    return folder
