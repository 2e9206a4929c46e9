"""Who may own and read the daemon's files.

Source: MindIE-LLM v3.0.0 file_utils.cpp and safe_path.cpp; transcripts for the older words of 1.0.0.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_MAX_CONFIG = 10 * 1024 * 1024
_MAX_MODEL_JSON = 500 * 1024 * 1024
_SAFE = re.compile(r"[A-Za-z0-9_./-]*\Z")


def private_file_fault(path: Path, version: str, limit: int = 0o640) -> str | None:
    """What the server objects to in a file of its own (config.json, rank table, TLS); None if nothing.

    The owner must be exactly this process's user and the mode at most ``limit``; root is not exempt.
    """
    name = path.name
    if path.is_symlink():
        return f"The file: {name} is a link."
    if not path.is_file():
        return f"The input file: {name} is not a regular file or not exists"
    found = path.stat()
    if not 0 < found.st_size <= _MAX_CONFIG:
        return f"Read input file: {name} failed, file is too large"
    if found.st_uid != os.getuid():
        ids = f"current process user id is {os.getuid()}, file owner id is {found.st_uid}"
        return f"Check path: {name} failed, by:owner id diff: {ids}"
    return _mode_fault(path, stat.S_IMODE(found.st_mode), limit, version)


def _mode_fault(path: Path, mode: int, limit: int, version: str) -> str | None:
    for shift, label in ((6, "Owner"), (3, "Owner group"), (0, "Other group")):
        have, may = (mode >> shift) & 7, (limit >> shift) & 7
        if have & ~may:
            fault = f"Check path: {path.name} failed, by: Check {label} permission failed:"
            if version == "1.0.0":
                return f"{fault} Current permission is {have}, but required no greater than {may}."
            return (
                f"{fault} {path} current permission is {have}, but required no greater than {may}."
                f" Required permisssion is {limit:o}, but got permission is {mode:o}"
            )
    return None


def model_path_fault(path: Path, *, folder: bool) -> str | None:
    """What 3.0.0's SafePath objects to in the model folder or its config.json; root may own and open more."""
    text = str(path)
    if not _SAFE.match(text) or ".." in path.parts:
        return f"Path contains special characters: {path}"
    if len(path.parts) > 32:
        return "Exceeded max directory depth: 32"
    if not path.exists():
        return f"Path not found: {path}"
    if folder != path.is_dir():
        return f"The path is not {'directory' if folder else 'file'}: {path}"
    if not os.access(path, os.R_OK):
        return f"Insufficient permissions for mode 'r' on path: {path}"
    found = path.stat()
    if not folder and found.st_size > _MAX_MODEL_JSON:
        return f"File size exceeds limit: {path}"
    if os.getuid() == 0 or os.environ.get("MINDIE_CHECK_INPUTFILES_PERMISSION") == "0":
        return None
    limit = 0o750 if folder else 0o640
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~limit:
        return f"Path permission exceeds maximum allowed: {path}, actual={mode:04o}, limit={limit:04o}"
    if found.st_uid != os.getuid():
        return f"path owner uid mismatch: path={path}, current_uid={os.getuid()}, path_uid={found.st_uid}"
    return None


_CODES = {
    "Path contains special characters": "INVALID_ARGUMENT",
    "Exceeded max directory depth": "RISK_ALERT",
    "Path not found": "NONE_ARGUMENT",
    "The path is not": "TYPE_MISMATCH",
    "File size exceeds limit": "RISK_ALERT",
}


def coded(fault: str) -> str:
    """A SafePath fault with its kind before it, as 3.0.0's log shows it."""
    code = next((code for words, code in _CODES.items() if fault.startswith(words)), "NO_PERMISSION")
    return f"[{code}] {fault}"


def weights_fault(path: Path, version: str) -> str | None:
    """What atb_llm's file_utils.py objects to in a weights folder or file, as the exception's line."""
    if not path.exists():
        return (
            "FileNotFoundError: The file is expected to exist, but it does not. "
            f"Please check the input path:{path}."
        )
    if path.is_dir() and len(list(path.iterdir())) > 1024:
        count = len(list(path.iterdir()))
        return f"ValueError: The file num in dir is {count}, which exceeds the limit 1024."
    if os.environ.get("MINDIE_CHECK_INPUTFILES_PERMISSION") == "0":
        return None
    found = path.stat()
    if os.getuid() not in (0, found.st_uid) and os.getgid() != found.st_gid:
        return (
            f"PermissionError: The current user does not have permission to access the path:{path}. Because"
            " he is not root or the path owner, and not in the same user group with the path owner."
            " Please check and make sure to satisfy at least one of the conditions above."
        )
    mode = stat.S_IMODE(found.st_mode)
    if not mode & stat.S_IWOTH:
        return None
    if version == "1.0.0":
        return (
            "PermissionError: The file should not be writable by others who are neither the owner nor in the"
            f" group. Please check the input path:{path}, and change mode to {mode & ~2}."
        )
    return (
        f"PermissionError: The file {path} should not be writable by others who are neither the owner nor in"
        f" the group. Current permission: {mode:#o}. Permission after removal: {mode & ~2:#o}."
    )
