"""The segments and semaphores of 3.0.0 in /dev/shm, and whether there is room for them.

Seen on the real 3.0.0 with one card: names, sizes, and what is left behind. Read in its source
(include/utils/shared_memory.h, executor/communicator.cpp): one set of segments for each data parallel group
on the node, of the same size whatever its cards; each card adds 16 semaphores.

The files are sparse, so ``df`` shows less than on the real thing: a machine with many emulated nodes could
not carry theirs. Room is therefore measured by the sizes of the files, not by their pages.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lingctl.sandbox.engine.machine.site import device_folder, this_site

_MIB = 1 << 20
# By channel: bytes for requests and for responses.
_CHANNELS = {
    "execute": (256 * _MIB, 32 * _MIB),
    "shared_sync_link": (32 * _MIB, 32 * _MIB),
    "recover_command": (8 * _MIB, 8 * _MIB),
    "transfer": (256 * _MIB, 32 * _MIB),
    "execute_error": (0, 1024),
}
_SEMAPHORE = 32
PER_GROUP = sum(sum(sizes) for sizes in _CHANNELS.values())


class NoRoom(Exception):
    """The memory cannot be had.

    Attributes:
        lines: what the log says, each with its place.
    """

    def __init__(self, *lines: tuple[str, str]) -> None:
        super().__init__(lines[-1][1])
        self.lines = lines


def names(process: int, group: int, cards: int) -> dict[str, int]:
    """The names in /dev/shm of one data parallel group, with their sizes in bytes."""
    found: dict[str, int] = {}
    for channel, sizes in _CHANNELS.items():
        for side, size in zip(("request", "response"), sizes, strict=True):
            if not size:
                continue
            name = f"{process}_{group}_{channel}_{side}"
            found[name] = size
            for card in range(1 if channel == "execute_error" else cards):
                found[f"sem.{name}_produce_{card}"] = _SEMAPHORE
                found[f"sem.{name}_consume_{card}"] = _SEMAPHORE
    return found


@dataclass
class SharedMemory:
    """What one daemon has of /dev/shm."""

    folder: Path = field(default_factory=lambda: device_folder() / "shm")
    made: list[str] = field(default_factory=list)  # names of this daemon
    anonymous: int = 0  # bytes of segments without a name: those of the tokenizers lose theirs at once

    def free(self) -> int:
        """Bytes that are left."""
        total = this_site().shared_memory
        if total is None:
            found = os.statvfs(self.folder)
            total = found.f_frsize * found.f_blocks
        return total - self.anonymous - sum(_sizes(self.folder))

    def check(self, groups: int) -> None:
        """Whether the executors of so many data parallel groups have room.

        Raises:
            NoRoom: they have not, or there is no such folder.
        """
        needed = PER_GROUP * groups
        place = "llm_manager_impl.cpp:1379"
        least = f"Please increase the available shared memory. The least required size is {needed}"
        last = (place, f"Available shared memory size is not enough for all executors. {least}")
        if self.folder.is_symlink():
            raise NoRoom(("shared_memory.cpp:53", "Shared memory path is symlink for path /dev/shm."), last)
        if not self.folder.is_dir():
            text = "Shared memory directory does not exist for path /dev/shm."
            raise NoRoom(("shared_memory.cpp:47", text), last)
        free = self.free()
        if free < needed:
            sizes = f"available size {free} and pending allocation size {needed}"
            text = f"Shared memory available is not enough on the filesystem with  {sizes}"
            raise NoRoom(("shared_memory.cpp:68", text), last)

    def create(self, group: int, cards: int) -> None:
        """Make one data parallel group's segments and semaphores.

        Raises:
            NoRoom: one of them is there and is another user's, or open to others.
        """
        for name, size in names(os.getpid(), group, cards).items():
            path = self.folder / name
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                _check_owner(name, os.fstat(handle))
                os.ftruncate(handle, size)
            finally:
                os.close(handle)
            self.made.append(name)

    def add_tokenizer(self, size: int) -> None:
        """The segment of one tokenizer process, whose name is gone as soon as it is made.

        Raises:
            NoRoom: it does not fit.
        """
        if self.free() < size:
            code = "[MIE04E040607] [tokenizer]"
            full = "[MIE04E040614] [tokenizer] Available shared memory size is not enough."
            text = f"{code} Shared memory available is not enough on the filesystem."
            raise NoRoom(("infer_tokenizer.cpp:312", text), ("infer_tokenizer.cpp:344", full))
        self.anonymous += size

    def remove(self) -> None:
        """Take this daemon's names away, as the workers' resource tracker does at their end."""
        for name in self.made:
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()


def _check_owner(name: str, found: os.stat_result) -> None:
    if found.st_uid != os.getuid():
        text = f"Shared memory /{name} owned by uid {found.st_uid}, but current uid is {os.getuid()}"
        raise NoRoom(("shared_memory.cpp:100", text))
    if stat.S_IMODE(found.st_mode) != 0o600:
        raise NoRoom(("shared_memory.cpp:106", f"Shared memory /{name} permission expected 0600"))


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            yield path.stat().st_size
