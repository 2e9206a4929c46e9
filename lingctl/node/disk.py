"""The disk that a path lies on: its name, and what room it has, in words for whom it was too small."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Optional


class FileSystem(NamedTuple):
    """A file system."""

    name: str  # of its device, as df prints it; empty where it is not known
    mount: str  # where it is mounted
    size: int  # in KiB
    free: int  # KiB that this user may still write
    inodes: int = 0  # files that it can hold; 0 where it keeps no count
    free_inodes: int = 0  # files that can still be made

    @property
    def has_no_inode(self) -> bool:
        """Whether no file can be made on it, although there may be room for bytes."""
        return self.inodes > 0 and self.free_inodes == 0

    @property
    def lines(self) -> List[str]:
        """What there is, for the evidence of an error."""
        name = f"disk {self.name} on {self.mount}" if self.name else f"the disk of {self.mount}"
        room = [f"{name}: {self.free} KiB of {self.size} KiB are free"]
        if self.inodes:
            room.append(f"files on it: {self.free_inodes} of {self.inodes} more can be made")
        return room


def disk_of(path: str) -> Optional[FileSystem]:
    """The disk on which ``path`` is or will be; None where the system does not tell."""
    place = os.path.abspath(path)
    while not os.path.exists(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    try:
        room = os.statvfs(place)
        mount = os.path.realpath(place)
        while not os.path.ismount(mount):
            mount = os.path.dirname(mount)
    except OSError:
        return None
    unit = room.f_frsize / 1024
    size, free = int(room.f_blocks * unit), int(room.f_bavail * unit)
    return FileSystem(_device(mount), mount, size, free, room.f_files, room.f_favail)


def _device(mount: str) -> str:
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
            named = [line.split()[0] for line in mounts if line.split()[1:2] == [mount]]
    except OSError:
        return ""
    return named[-1] if named else ""
