"""What lies where in a node's folder of the evidence, and what of it tells how its daemon fares.

collect reads it from the node's archive, explain from the bundle that it became.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

# Folders of logs of the daemon's run, beside its console.
LOG_FOLDERS = ("process_log", "mindie", "atb_log")
OURS = "lingctl"
_STATUS, _STATE = PurePosixPath(OURS, "daemon.exit"), PurePosixPath(OURS, "daemon.state")
# The second is there, and the first is not, where the daemon was stopped on request: its end tells nothing.
_STARTED, _STARTED_BEFORE = PurePosixPath(OURS, "started"), PurePosixPath(OURS, "last-started")
# What its logs said before its last start is put apart there.
BEFORE = PurePosixPath(OURS, "before")
# An exit status is a number of three digits, a state a word and a number.
LONGEST_TRACE = 20


def is_console(place: PurePosixPath) -> bool:
    """Whether it is what the daemon printed."""
    return len(place.parts) == 1 and place.name.startswith("worker-") and place.suffix == ".log"


@dataclass(slots=True)
class DaemonTraces:
    """What the small files of a node's folder tell of its daemon; they are taken in any order."""

    _places: set[PurePosixPath] = field(default_factory=set)
    _ended: str = ""
    runs: bool = False  # whether it was seen to run when this was gathered

    def take(self, place: PurePosixPath, start: bytes) -> None:
        """A file of the folder, and how it begins, as many bytes as ``LONGEST_TRACE``."""
        self._places.add(place)
        text = start[:LONGEST_TRACE].decode("utf-8", "replace").strip()
        if place == _STATUS:
            self._ended = text
        elif place == _STATE:
            self.runs = text.startswith("alive ")

    @property
    def status(self) -> str:
        """The exit status of a daemon that ended and was not stopped on request; else empty."""
        stopped = _STARTED_BEFORE in self._places and _STARTED not in self._places
        return "" if stopped else self._ended
