"""Which lines of a console belong to a time or a rank. Pure.

Forms of time: MindIE's (with or without an offset), Python logging's and CANN's, and vLLM's, which lacks the
year. Lines without one belong to the line before them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[ T-](\d{2}):(\d{2}):(\d{2})(?:[.,]\d+(?:\.\d+)?)?\s?([+-]\d{2}:?\d{2})?"
)
_RANK = re.compile(r"\brank(?:[ _]?id)?\s?[:=\[ ]\s?(\d{1,4})\b", re.IGNORECASE)
_PROCESS = re.compile(r"\[pid: ?(\d+)\]")


def line_time(line: str, offset: timedelta) -> datetime | None:
    """When a line was printed, with its clock's ``offset`` if it names none; None where it does not tell."""
    found = _TIME.search(line[:200])
    if found is None:
        return None
    if found[7]:
        sign = -1 if found[7][0] == "-" else 1
        digits = found[7][1:].replace(":", "")
        offset = sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    try:
        printed = datetime.fromisoformat(f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}")
        return printed.replace(tzinfo=timezone(offset))
    except ValueError:  # digits that are no time, or no zone
        return None


class LineFilter:
    """Lets pass the lines of a time and a rank; knows what went before.

    Args:
        since: earliest time, or None for all.
        offset: see ``line_time``.
        rank: only lines that name this rank, or come from a process that did; None for all.
    """

    def __init__(self, since: datetime | None, offset: timedelta, rank: int | None) -> None:
        self._since = since
        self._offset = offset
        self._rank = rank
        self._recent = since is None
        self._mine = rank is None
        self._processes: set[str] = set()

    def __call__(self, line: str) -> bool:
        """Whether the line is wanted."""
        printed = line_time(line, self._offset)
        if printed is not None:
            self._recent = self._since is None or printed >= self._since
        if self._rank is not None:
            self._note_rank(line, self._rank, begins=printed is not None)
        return self._recent and self._mine

    def _note_rank(self, line: str, rank: int, *, begins: bool) -> None:
        named, process = _RANK.search(line), _PROCESS.search(line)
        if named is not None:
            self._mine = int(named[1]) == rank
            if self._mine and process is not None:
                self._processes.add(process[1])
        elif process is not None:
            self._mine = process[1] in self._processes
        elif begins:
            self._mine = False
