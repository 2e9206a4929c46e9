"""Which lines of a console belong to a time or a rank. Pure.

Lines without a time belong to the line before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class LineFilter:
    """Lets pass the lines of a time and a rank; knows what went before."""

    since: datetime | None  # earliest time, or None for all
    offset: timedelta  # see ``line_time``
    rank: int | None  # only lines that name this rank, or come from a process that did; None for all
    rank_of: Callable[[str], int | None]  # the rank that a line names, or None
    near: datetime | None = None  # see ``line_time``; by default ``since``
    time: datetime | None = None  # when the last line was printed, as far as it or one before it told
    of_rank: int | None = None  # whose line it was; None where that is not known
    # By process: one process may speak for several.
    _ranks_of: dict[str, set[int]] = field(default_factory=dict)
    _processes: set[str] = field(default_factory=set)
    _recent: bool = False
    _mine: bool = False

    def __post_init__(self) -> None:
        self.near = self.near or self.since
        self._recent, self._mine = self.since is None, self.rank is None

    def __call__(self, line: str) -> bool:
        """Whether the line is wanted."""
        stamp = stamp_of(line[:_HEAD])
        printed = _moment(stamp, self.offset, self.near)
        if printed is not None:
            self.time = printed
            self._recent = self.since is None or printed >= self.since
        self._note_rank(line, begins=stamp is not None)
        return self._recent and self._mine

    def _note_rank(self, line: str, *, begins: bool) -> None:
        named, found = self.rank_of(line), _PROCESS.search(line)
        process = (found[1] or found[2]) if found is not None else None
        if named is not None and process is not None:
            self._ranks_of.setdefault(process, set()).add(named)
        if named is not None or process is not None or begins or not line[:1].isspace():
            alone = self._ranks_of.get(process or "", set())
            self.of_rank = named if named is not None else next(iter(alone)) if len(alone) == 1 else None
        if self.rank is None:
            return
        if named is not None:
            self._mine = named == self.rank
            if self._mine and process is not None:
                self._processes.add(process)
        elif process is not None:
            self._mine = process in self._processes
        elif begins:
            self._mine = False
