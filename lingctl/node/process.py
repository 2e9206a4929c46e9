"""One process as the kernel shows it: what it is, what it has loaded, and its own view of the files."""

from __future__ import annotations

import os
import pwd
from typing import Dict, List, Optional, Set, Tuple

_MOST_LINKS = 40
Identity = Tuple[int, int]


class Process:
    """A process by its number.

    What may not be read raises PermissionError; a process that has ended, another OSError.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._own = f"/proc/{pid}"

    def words(self) -> List[str]:
        """Its command line."""
        return _words(f"{self._own}/cmdline")

    def user(self) -> str:
        """Who runs it."""
        uid = os.stat(self._own).st_uid
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def environment(self) -> Dict[str, str]:
        """What it was started with."""
        pairs = (word.partition("=") for word in _words(f"{self._own}/environ"))
        return {name: value for name, _, value in pairs}

    def folder(self) -> str:
        """The folder that it works in, by its own name for it."""
        return os.readlink(f"{self._own}/cwd")

    def files(self) -> List[str]:
        """Its program and what it has mapped, by its own names for them."""
        found: Dict[str, None] = {os.readlink(f"{self._own}/exe"): None}
        with open(f"{self._own}/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                words = line.rstrip("\n").split(None, 5)
                if len(words) == 6 and words[5].startswith("/"):
                    found[words[5]] = None
        return list(found)

    def identity(self, path: str) -> Optional[Identity]:
        """Device and inode of what the process finds at ``path``; None where it finds nothing."""
        try:
            status = os.stat(self.outside(path))
        except PermissionError:
            raise
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def outside(self, path: str) -> str:
        """Our name for what the process finds at ``path``: in its own mounts, below its own root.

        Links are followed here: the kernel would follow an absolute one below our root.
        """
        root = f"{self._own}/root"
        os.stat(f"{root}/")
        left, place, links = [part for part in path.split("/") if part], "", 0
        while left:
            part = left.pop(0)
            if part == ".":
                continue
            if part == "..":
                place = os.path.dirname(place).rstrip("/")
                continue
            following = f"{place}/{part}"
            if links < _MOST_LINKS and os.path.islink(root + following):
                target = os.readlink(root + following)
                links += 1
                left = [word for word in target.split("/") if word] + left
                place = "" if target.startswith("/") else place
            else:
                place = following
        return root + place

    def is_inside(self, path: str, tree: Identity, known: Set[str]) -> bool:
        """Whether a path of its own lies in a folder; ``known`` are folders that were found not to."""
        place = os.path.dirname(path)
        while place not in known:
            if self.identity(place) == tree:
                return True
            known.add(place)
            place = os.path.dirname(place)
        return False


def process_numbers() -> List[int]:
    """All processes that are seen here but this one."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _words(path: str) -> List[str]:
    with open(path, "rb") as file:
        return [os.fsdecode(word) for word in file.read().split(b"\0") if word]
