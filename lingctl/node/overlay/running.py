"""Whether MindIE runs from a tree: what it has loaded stays old, what it starts later would be new."""

from __future__ import annotations

import os
from typing import Dict, Iterator, List, Optional, Tuple

_NAMES = ("mindieservice_daemon", "mindie_llm_server", "mindie_llm_backend_connector")


def daemons_of(root: str) -> List[str]:
    """The processes that use the tree, as ``mindieservice_daemon (pid 12)``.

    A daemon that does not tell where its atb_llm is counts, unless it runs in another container.
    """
    return [f"{program} (pid {pid})" for pid, program in _daemons() if _may_use(pid, root)]


def running_daemons() -> List[str]:
    """All of MindIE's processes on this system, as ``mindieservice_daemon (pid 12)``."""
    return [f"{program} (pid {pid})" for pid, program in _daemons()]


def _daemons() -> Iterator[Tuple[str, str]]:
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        words = _words(f"/proc/{name}/cmdline")
        program = next((n for word in words[:3] for n in _NAMES if os.path.basename(word) == n), None)
        if program and _same_system(name):
            yield name, program


def _words(path: str) -> List[str]:
    try:
        with open(path, "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0") if word]
    except OSError:
        return []


def _same_system(pid: str) -> bool:
    try:
        theirs, ours = os.stat(f"/proc/{pid}/root/"), os.stat("/")
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _may_use(pid: str, root: str) -> bool:
    home: Optional[str] = _environment(pid).get("ATB_SPEED_HOME_PATH")
    if home is None:
        return True
    return os.path.realpath(home) in (root, os.path.dirname(root))


def _environment(pid: str) -> Dict[str, str]:
    pairs = (word.partition("=") for word in _words(f"/proc/{pid}/environ"))
    return {name: value for name, _, value in pairs}
