"""A console or log as lines that know their time, their level and who printed them. Pure.

Forms of time: MindIE's in C++ (``[2026-11-28 02:14:59.087811]``) and in Python
(``[2026-11-28 01:48:58,444]``), both seen on the real 3.0.0; with an offset (1.0.0 to 2.x), Python's logging
and CANN's (``2025-04-08-18:07:20.444.436``), from documents and reports; without a year: vLLM's
(``ERROR 01-16 11:51:23``), PyTorch's (``[E324 13:00:25.428``), the kernel's and the journal's. What stands in
one console was printed by one clock, so an offset tells where that clock stands and moves no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

Level = Literal["error", "warning", "information", ""]

_FULL = re.compile(
    r"(\d{4})[-/](\d{2})[-/](\d{2})[ T-](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,3})(?:\.?(\d{1,3}))?)?\d*"
    r"(?: ?([+-]\d{2}):?(\d{2})|(Z))?"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WITHOUT_YEAR = (
    re.compile(r"\b(?:ERROR|WARNING|INFO|DEBUG|FATAL|CRITICAL) (\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})\b"),
    re.compile(r"(?:^|[\[\s])[DEWIF](\d{1,2})(\d{2}) (\d{2}):(\d{2}):(\d{2})[.,]\d"),
    re.compile(rf"\b({'|'.join(_MONTHS)}) +(\d{{1,2}}) (\d{{2}}):(\d{{2}}):(\d{{2}})\b(?: (\d{{4}})\b)?"),
)
_SOME_YEAR = 2000
# What may stand before a level that is written without brackets: times, what stands in brackets, two names.
_BEFORE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[\d\s:.,+/|-]+")
_NAMES = 2
_LEVEL = re.compile(
    r"\[\s*(error|warn(?:ing)?|info|event|debug|fatal|critical|trace|notice)\s*\]"
    r"|(?:^|\])[: ]{0,3}\[?([WEIF])(?:\d{3,4} [\d:.]+(?: \d+)?)? [\w./-]+:\d+\]"
    r"|^\[([WEIF])\] ",
    re.IGNORECASE,
)
_BARE_LEVEL = re.compile(r"\b(ERROR|WARNING|WARN|INFO|DEBUG|FATAL|CRITICAL)\b")
_PYTHON_WARNING = re.compile(r"(?:^|\s|:)(?:\w*Warning|Warning|WARN|warning): ")
_LEVELS: dict[str, Level] = {
    "ERROR": "error",
    "FATAL": "error",
    "CRITICAL": "error",
    "E": "error",
    "F": "error",
    "WARN": "warning",
    "WARNING": "warning",
    "W": "warning",
}
_SOURCE = re.compile(r"\[(?:EndPoint )?([\w./]+\.(?:cpp|cc|c|h|py))[:-]\d+\]")
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
_END = re.compile(r"\r\n|\n|\r")
# What a vendor adds to an error: causes that are possible, and advice. It names much that did not happen.
_HINT = re.compile(
    r"(?:\bPossible Causes?|\bSolutions?|\bSuggestions?)\s*: ?|可能原因|处理方法|解决方法", re.IGNORECASE
)
_TRACEBACK = "Traceback (most recent call last)"
# What begins another log within a text, where several are read as one: it has no line before it.
ANOTHER_LOG = "\f"
_ANOTHER = re.compile(rf"(?:^|(?<=\r)){ANOTHER_LOG}+", re.MULTILINE)
# Another log may be of an earlier run. Its clock may stand in another zone, so a day's difference is needed.
_EARLIER_RUN = timedelta(hours=15)
# A level stands in the first part of a line, before its message.
_HEAD = 160


class Stamp(NamedTuple):
    """The time that a line names."""

    time: datetime  # by its clock
    offset: timedelta | None = None  # of that clock from UTC, where it is told
    with_year: bool = True


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line."""

    text: str  # as it was printed, without colours and zero bytes
    # when it was printed; a line without a time of its own has that of the line before it. None where no line
    # before it has one.
    time: datetime | None
    level: Level  # how serious its printer takes it, empty where it does not say
    source: str  # name of the file that printed it, empty where the line does not say
    # the text without a vendor's list of possible causes and advice; empty where it is nothing else
    said: str = ""
    # whether it belongs to an exception that was printed right behind a warning, and so was perhaps survived
    doubtful: bool = False


def read_lines(text: str, *, ended: bool = False) -> list[LogLine]:
    """The lines of a log that are not empty. A progress bar's carriage returns end lines too.

    Args:
        ended: whether what printed it is known to have ended: an exception behind which it says nothing more
            was not survived then.
    """
    text = _COLOURS.sub("", text.replace("\0", ""))
    full = _FULL.search(text)
    year = int(full[1]) if full else _SOME_YEAR
    lines: list[LogLine] = []
    began: datetime | None = None
    for number, log in enumerate(_ANOTHER.split(text)):
        own = list(_lines(log, year))
        if not number:
            began = next((line.time for line in own if line.time is not None), None)
        elif began is not None:
            own = [line for line in own if line.time is None or line.time >= began - _EARLIER_RUN]
        lines += own
        if ended:
            _settle(lines)
    return lines


def _settle(lines: list[LogLine]) -> None:
    for at in range(len(lines) - 1, -1, -1):
        if not lines[at].doubtful:
            return
        lines[at] = replace(lines[at], doubtful=False)


def _lines(log: str, year: int) -> Iterator[LogLine]:
    before: datetime | None = None
    last: Level = ""
    doubtful = False
    for part in _END.split(log):
        if not part.strip():
            continue
        head = part[:_HEAD]
        own = stamp_of(head, year)
        before = own.time if own is not None else before
        level = _level(head)
        if level or own is not None:
            doubtful, last = False, level
        elif _TRACEBACK in part:
            doubtful = last == "warning"
        source = _SOURCE.search(head)
        hint = _HINT.search(part)
        said = part.rstrip() if hint is None else _before_hint(part, hint.start())
        yield LogLine(part.rstrip(), before, level, source[1] if source else "", said, doubtful)


def offset_of(text: str) -> timedelta | None:
    """How far the clock that printed a log is ahead of UTC; None where no line tells."""
    told = (_offset(found) for found in _FULL.finditer(text))
    return next((offset for offset in told if offset is not None), None)


def seconds_between(earlier: datetime | None, later: datetime | None) -> float | None:
    """Seconds from one time to another, None where one of them is not known."""
    if earlier is None or later is None:
        return None
    return (later - earlier) / timedelta(seconds=1)


def _before_hint(part: str, at: int) -> str:
    """What a line says before a hint, empty where that is only the head that every line has."""
    said = part[:at].rstrip()
    return "" if _level(said[:_HEAD]) and said.endswith("]") else said


def stamp_of(head: str, year: int = _SOME_YEAR) -> Stamp | None:
    """The time that the beginning of a line names, of that year where it names none; None for no time."""
    try:
        if found := _FULL.search(head):
            micro = int(((found[7] or "").ljust(3, "0") + (found[8] or "")).ljust(6, "0"))
            year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
            return Stamp(datetime(year, month, day, hour, minute, second, micro), _offset(found))
        for form in _WITHOUT_YEAR:
            if found := form.search(head):
                month = _MONTHS.index(found[1]) + 1 if found[1] in _MONTHS else int(found[1])
                day, hour, minute, second = (int(part) for part in found.groups()[1:5])
                own = found[6] if form.groups == 6 else None
                return Stamp(
                    datetime(int(own or year), month, day, hour, minute, second), with_year=own is not None
                )
    except ValueError:  # digits that are no time
        pass
    return None


def _offset(found: re.Match[str]) -> timedelta | None:
    if found[11]:
        return timedelta()
    if not found[9]:
        return None
    sign = -1 if found[9].startswith("-") else 1
    return sign * timedelta(hours=abs(int(found[9])), minutes=int(found[10]))


def _level(head: str) -> Level:
    found = _LEVEL.search(head)
    if found is not None:
        return _LEVELS.get((found[1] or found[2] or found[3]).upper(), "information")
    bare = _BARE_LEVEL.search(head)
    if bare is not None:
        names = _BEFORE.sub(" ", head[: bare.start()]).split()
        if len(names) <= _NAMES and not any(name.endswith(("Error", "Exception")) for name in names):
            return _LEVELS.get(bare[1], "information")
    return "warning" if _PYTHON_WARNING.search(head) else ""
