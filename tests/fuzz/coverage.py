"""Which lines of lingctl a reading passes, and in which order: input that takes a new way is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import lingctl

_OURS = str(Path(lingctl.__file__).parent)
Step = tuple[str, int, int]


class Ways:
    """Steps from line to line that were seen."""

    def __init__(self) -> None:
        self.seen: set[Step] = set()
        self._new = False
        self._last: dict[int, int] = {}

    def run(self, what: Callable[[], None]) -> bool:
        """Do something; whether it took a step that was not seen before."""
        self._new = False
        sys.settrace(self._call)
        try:
            what()
        finally:
            sys.settrace(None)
            self._last.clear()
        return self._new

    @property
    def lines(self) -> int:
        """How many lines were passed."""
        return len({(file, line) for file, _, line in self.seen})

    def _call(self, frame: FrameType, _event: str, _argument: object):
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        self._last.pop(id(frame), None)
        return self._line

    def _line(self, frame: FrameType, event: str, _argument: object):
        if event == "line":
            line = frame.f_lineno
            step = (frame.f_code.co_filename, self._last.get(id(frame), 0), line)
            self._last[id(frame)] = line
            if step not in self.seen:
                self.seen.add(step)
                self._new = True
        return self._line
