"""Modes and owners of a folder of weights as MindIE demands them.

Source: MindIE-LLM 3.0.0 src/utils/safe_path.cpp (folders at most 0750, files at most 0640, owned by the
daemon's user; root is exempt from the owner rule there) and atb_llm/utils/file_utils.py (nothing that others
may write, also for root). 0750 and 0640 satisfy every version.
"""

from __future__ import annotations

import os
import stat
from shlex import quote
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from lingctl.node.files import FILE_MODE, FOLDER_MODE, kind_of
from lingctl.node.folders import is_shared, need_folder, planted, visible
from lingctl.node.trouble import Trouble


class Wrong(NamedTuple):
    """One file or folder that MindIE would refuse. ``name`` is relative to the folder; ``.`` is itself."""

    name: str
    reason: str


def wrong_modes(folder: str, user: Optional[int] = None) -> Tuple[Wrong, ...]:
    """What MindIE, run by ``user`` (who runs this program if not given), would refuse; changes nothing."""
    owner = os.geteuid() if user is None else user
    found = ((name, _reason(os.stat(path), owner)) for name, path in _all(folder))
    return tuple(Wrong(name, reason) for name, reason in found if reason)


def set_modes(folder: str, user: Optional[int] = None) -> Dict[str, object]:
    """Set modes, and owners where they are not the daemon's; tells how many were changed.

    Links are not followed: what they lead to may belong to something else. So may a file of several names
    (hard links), where somebody else could have put this one there.

    Raises:
        Trouble: no such folder, or a link whose target MindIE refuses.
        OSError: not allowed.
    """
    need_folder(folder)
    owner = os.geteuid() if user is None else user
    paths = dict(_all(folder))
    # As they are now: the first that is done is to close them to others.
    shared = {path for path in paths.values() if os.path.isdir(path) and is_shared(os.stat(path), owner)}
    changed: List[str] = []
    for name, reason in wrong_modes(folder, owner):
        path = paths[name]
        if os.path.islink(path):
            raise Trouble(
                f"is a link to a file that MindIE refuses ({reason})",
                where=path,
                remedy="put the file itself there: "
                f'cp --remove-destination "$(readlink -f {quote(path)})" {quote(path)}',
                code="weights-link",
            )
        _set(path, owner, reason, foreign=os.path.dirname(path) in shared)
        changed.append(name)
    return {"folder": folder, "files": len(paths), "changed": changed}


def _set(path: str, owner: int, reason: str, *, foreign: bool) -> None:
    """Over a descriptor: what takes the file's place meanwhile is not touched."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISLNK(found.st_mode):
            raise planted(path)
        is_folder = stat.S_ISDIR(found.st_mode)
        if foreign and not is_folder and found.st_nlink > 1:
            copy = quote(f"{path}.new")
            raise Trouble(
                f"is a file of several names that MindIE refuses ({reason}): they would all change",
                where=path,
                remedy=f"make it a file of its own: cp -p {quote(path)} {copy} && mv {copy} {quote(path)}",
                code="weights-link",
            )
        if owner != 0 and found.st_uid != owner:
            os.chown(f"/proc/self/fd/{descriptor}", owner, -1)
        os.chmod(f"/proc/self/fd/{descriptor}", FOLDER_MODE if is_folder else FILE_MODE)
    finally:
        os.close(descriptor)


def _all(folder: str) -> Iterator[Tuple[str, str]]:
    """Name and path of the folder and of all that is in it, but for hidden names: nobody loads these."""
    for here, files in visible(folder):
        for path in (here, *(os.path.join(here, name) for name in files)):
            if path == here or kind_of(path) == "file":
                yield os.path.relpath(path, folder), path


def _reason(found: os.stat_result, owner: int) -> str:
    mode = stat.S_IMODE(found.st_mode)
    is_folder = stat.S_ISDIR(found.st_mode)
    most = FOLDER_MODE if is_folder else FILE_MODE
    if mode & ~most:
        return f"mode {mode:04o}, at most {most:04o} is allowed"
    # Root reads whatever the mode says.
    if owner != 0 and found.st_uid != owner:
        return f"belongs to user {found.st_uid}, not to {owner}"
    needed = 0o500 if is_folder else 0o400
    if owner != 0 and mode & needed != needed:
        return f"mode {mode:04o}, its owner cannot read it"
    return ""
