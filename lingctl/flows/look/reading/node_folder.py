"""What lies where in a node's folder of the evidence, and what of it tells how its daemon fares.

collect reads it from the node's archive, explain from the bundle that it became.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

# Folders of logs of the daemon's run, beside its console.
LOG_FOLDERS = ("process_log", "mindie", "atb_log")
OURS = "lingctl"
_STATUS = PurePosixPath(OURS, "daemon.exit")
# The second is there, and the first is not, where the daemon was stopped on request: its end tells nothing.
_STARTED, _STARTED_BEFORE = PurePosixPath(OURS, "started"), PurePosixPath(OURS, "last-started")
# An exit status is a number of three digits.
_LONGEST = 20


def is_console(place: PurePosixPath) -> bool:
    """Whether it is what the daemon printed."""
    return len(place.parts) == 1 and place.name.startswith("worker-") and place.suffix == ".log"


@dataclass(slots=True)
class DaemonTraces:
    """What the small files of a node's folder tell of its daemon; they are taken in any order."""

    _places: set[PurePosixPath] = field(default_factory=set)
    _ended: str = ""

    def take(self, place: PurePosixPath, start: bytes) -> None:
        """A file of the folder, and how it begins; ``is_trace`` tells of which that is needed."""
        self._places.add(place)
        if place == _STATUS:
            self._ended = start[:_LONGEST].decode("utf-8", "replace").strip()

    @property
    def status(self) -> str:
        """The exit status of a daemon that ended and was not stopped on request; else empty."""
        stopped = _STARTED_BEFORE in self._places and _STARTED not in self._places
        return "" if stopped else self._ended
