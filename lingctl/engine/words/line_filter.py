"""Which lines of a console belong to a time or a rank. Pure.

Forms of time: MindIE's (with or without an offset), Python logging's and CANN's, and vLLM's, which lacks the
year. Lines without one belong to the line before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[ T-](\d{2}):(\d{2}):(\d{2})(?:[.,]\d+(?:\.\d+)?)?\s?([+-]\d{2}:?\d{2})?"
)
# vLLM's (``INFO 11-28 14:21:34``), and PyTorch's (``W1128 14:18:38.247``).
_WITHOUT_YEAR = re.compile(
    r"(?:\b(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) (\d{2})-(\d{2})|(?:^|\[)[DIWEF](\d{2})(\d{2}))"
    r" (\d{2}):(\d{2}):(\d{2})\b"
)
_PROCESS = re.compile(r"\[pid: ?(\d+)\]|\(\w+ pid=(\d+)\)")


def line_time(line: str, offset: timedelta, near: datetime | None = None) -> datetime | None:
    """When a line was printed, with its clock's ``offset`` if it names none; None where it does not tell.

    Args:
        near: some time of these days: a line without a year is of the year that brings it closest.
    """
    found = _TIME.search(line[:200])
    if found is None:
        return _without_year(line[:200], offset, near) if near is not None else None
    if found[7]:
        sign = -1 if found[7][0] == "-" else 1
        digits = found[7][1:].replace(":", "")
        offset = sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    try:
        printed = datetime.fromisoformat(f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}")
        return printed.replace(tzinfo=timezone(offset))
    except ValueError:  # digits that are no time, or no zone
        return None


def _without_year(line: str, offset: timedelta, near: datetime) -> datetime | None:
    found = _WITHOUT_YEAR.search(line)
    if found is None:
        return None
    month, day, hour, minute, second = (int(part) for part in found.groups() if part is not None)
    times = []
    for year in (near.year - 1, near.year, near.year + 1):
        try:
            times.append(datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset)))
        except ValueError:  # digits that are no time, or no day of that year
            continue
    return min(times, key=lambda time: abs(time - near), default=None)


class LineFilter:
    """Lets pass the lines of a time and a rank; knows what went before.

    Args:
        since: earliest time, or None for all.
        offset: see ``line_time``.
        rank: only lines that name this rank, or come from a process that did; None for all.
        rank_of: the rank that a line names, or None.
        near: see ``line_time``; by default ``since``.

    Attributes:
        time: when the last line was printed, as far as it or one before it told.
        of_rank: whose line it was; None where that is not known.
    """

    def __init__(
        self,
        since: datetime | None,
        offset: timedelta,
        rank: int | None,
        rank_of: Callable[[str], int | None],
        near: datetime | None = None,
    ) -> None:
        self.time: datetime | None = None
        self.of_rank: int | None = None
        self._near = near or since
        self._ranks_of: dict[str, set[int]] = {}  # by process: one process may speak for several
        self._rank_of = rank_of
        self._since = since
        self._offset = offset
        self._rank = rank
        self._recent = since is None
        self._mine = rank is None
        self._processes: set[str] = set()

    def __call__(self, line: str) -> bool:
        """Whether the line is wanted."""
        printed = line_time(line, self._offset, self._near)
        if printed is not None:
            self.time = printed
            self._recent = self._since is None or printed >= self._since
        begins = printed is not None or _WITHOUT_YEAR.search(line[:200]) is not None
        self._note_rank(line, begins=begins)
        return self._recent and self._mine

    def _note_rank(self, line: str, *, begins: bool) -> None:
        named, found = self._rank_of(line), _PROCESS.search(line)
        process = (found[1] or found[2]) if found is not None else None
        if named is not None and process is not None:
            self._ranks_of.setdefault(process, set()).add(named)
        if named is not None or process is not None or begins or not line[:1].isspace():
            alone = self._ranks_of.get(process or "", set())
            self.of_rank = named if named is not None else next(iter(alone)) if len(alone) == 1 else None
        if self._rank is None:
            return
        if named is not None:
            self._mine = named == self._rank
            if self._mine and process is not None:
                self._processes.add(process)
        elif process is not None:
            self._mine = process in self._processes
        elif begins:
            self._mine = False
