"""The checks on paths that every reader of weights goes through."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any

MAX_SIZE = 100 * 1024 * 1024
# 3.0.0 has the package among Python's own, 1.0.0 in a folder of its own.
_NEW = "site-packages" in Path(__file__).parts


def standardize_path(path: str, max_path_length: int = 4096, check_link: bool = True) -> str:
    """The real path.

    Raises:
        ValueError: too long, or a symbolic link where none is allowed.
    """
    if len(path) > max_path_length:
        limit = f"should not be greater than {max_path_length}, but got {len(path)}"
        raise ValueError(f"The length of path {limit}")
    if check_link and Path(path).is_symlink():
        text = f"Please check the input path:{path}."
        raise ValueError(f"The path should not be a symbolic link file. {text}")
    return os.path.realpath(path)


def check_path_permission(path: str, is_internal_file: bool = False) -> None:
    """Refuse what others own or may write."""
    if not Path(path).exists():
        hint = f"Please check the input path:{path}."
        raise FileNotFoundError(f"The file is expected to exist, but it does not. {hint}")
    if not is_internal_file and os.environ.get("MINDIE_CHECK_INPUTFILES_PERMISSION") == "0":
        return
    found = Path(path).stat()
    if os.getuid() not in (0, found.st_uid) and os.getgid() != found.st_gid:
        raise PermissionError(f"The current user does not have permission to access the path:{path}.")
    check_other_write_permission(path)


def check_other_write_permission(path: str) -> None:
    """Refuse a world-writable path."""
    mode = stat.S_IMODE(Path(path).stat().st_mode)
    if mode & stat.S_IWOTH:
        words = "who are neither the owner nor in the group"
        if _NEW:
            modes = f"Current permission: {mode:#o}. Permission after removal: {mode & ~stat.S_IWOTH:#o}."
            raise PermissionError(f"The file {path} should not be writable by others {words}. {modes}")
        hint = f"Please check the input path:{path}, and change mode to {mode & ~stat.S_IWOTH}."
        raise PermissionError(f"The file should not be writable by others {words}. {hint}")


def safe_open(path: str, mode: str = "r", encoding: str | None = None, check_link: bool = True) -> IO[Any]:
    """Open a small file after the checks."""
    real = standardize_path(path, check_link=check_link)
    check_path_permission(real)
    if Path(real).stat().st_size > MAX_SIZE:
        raise ValueError(f"The size of file should not be greater than {MAX_SIZE}.")
    return open(real, mode, encoding=encoding)  # noqa: PTH123  (as the real one does)
