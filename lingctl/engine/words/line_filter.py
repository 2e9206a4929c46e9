"""Which lines of a console belong to a time or a rank. Pure.

Lines without a time belong to the line before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from lingctl.engine.words.log_lines import Stamp, stamp_of

_PROCESS = re.compile(r"\[pid: ?(\d+)\]|\(\w+ pid=(\d+)\)")
_HEAD = 200


def line_time(line: str, offset: timedelta, near: datetime | None = None) -> datetime | None:
    """When a line was printed, with its clock's ``offset`` if it names none; None where it does not tell.

    Args:
        near: some time of these days: a line without a year is of the year that brings it closest.
    """
    return _moment(stamp_of(line[:_HEAD]), offset, near)


def _moment(stamp: Stamp | None, offset: timedelta, near: datetime | None) -> datetime | None:
    if stamp is None or (near is None and not stamp.with_year):
        return None
    try:
        zone = timezone(offset if stamp.offset is None else stamp.offset)
    except ValueError:  # digits that are no zone
        return None
    printed = stamp.time.replace(microsecond=0, tzinfo=zone)
    if near is None or stamp.with_year:
        return printed
    times = []
    for year in (near.year - 1, near.year, near.year + 1):
        with suppress(ValueError):  # no day of that year
            times.append(printed.replace(year=year))
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
        stamp = stamp_of(line[:_HEAD])
        printed = _moment(stamp, self._offset, self._near)
        if printed is not None:
            self.time = printed
            self._recent = self._since is None or printed >= self._since
        self._note_rank(line, begins=stamp is not None)
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
