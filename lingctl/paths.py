"""What lies at a path of this machine. What cannot be looked at is neither there nor absent.

From Python 3.14 on ``Path.exists`` and its like answer no where a folder may not be entered, a mount is dead
or a name is too long. These are errors here, on every Python; and so are links that lead in a circle.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lingctl.errors import UsageError


def is_there(path: Path) -> bool:
    """Whether anything is there, behind links. Raises UsageError: it cannot be looked at."""
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Whether an ordinary file is there, behind links. Raises UsageError: it cannot be looked at."""
    return stat.S_ISREG(_mode(path) or 0)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, behind links. Raises UsageError: it cannot be looked at."""
    return stat.S_ISDIR(_mode(path) or 0)


def real(path: Path) -> Path:
    """The path behind its links. Where they lead in a circle that is one of them, on every Python."""
    return Path(os.path.realpath(path))


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None  # ValueError: no system takes such a name
    except OSError as error:
        raise UsageError(f"{path} cannot be looked at: {error.strerror}", code="path-unusable") from error
