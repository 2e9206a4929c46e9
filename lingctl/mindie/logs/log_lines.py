"""A console or log as lines that know their time, their level and who printed them. Pure.

Forms of time: MindIE's in C++ (``[2026-11-28 02:14:59.087811]``) and in Python
(``[2026-11-28 01:48:58,444]``), both seen on the real 3.0.0; with an offset (1.0.0), Python's logging
and CANN's (``2025-04-08-18:07:20.444.436``),
from documents and reports. Offsets are passed over: what stands in one console was printed by one clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Level = Literal["error", "warning", "information", ""]

_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})[ T-](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,3})(?:\.?(\d{1,3}))?)?")
_LEVEL = re.compile(
    r"\[\s*(ERROR|WARN(?:ING)?|INFO|EVENT|DEBUG|Error|FATAL)\s*\]"
    r"|^(?:\[(?=[WI]\])|(?=[WI] \w+\.\w+:\d+\]))(W|I)\]? |\b(ERROR|WARNING|INFO|FATAL)\b"
)
_LEVELS: dict[str, Level] = {
    "ERROR": "error",
    "FATAL": "error",
    "WARN": "warning",
    "WARNING": "warning",
    "W": "warning",
    "INFO": "information",
    "I": "information",
    "EVENT": "information",
    "DEBUG": "information",
}
_SOURCE = re.compile(r"\[(?:EndPoint )?([\w./]+\.(?:cpp|cc|c|h|py))[:-]\d+\]")
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
_END = re.compile(r"\r\n|\n|\r")
# A level stands in the first part of a line, before its message.
_HEAD = 160


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line.

    Attributes:
        text: as it was printed, without colours and zero bytes.
        time: when it was printed; a line without a time of its own has that of the line before it. None where
            no line before it has one.
        level: how serious its printer takes it, empty where it does not say.
        source: name of the file that printed it, empty where the line does not say.
    """

    text: str
    time: datetime | None
    level: Level
    source: str


def read_lines(text: str) -> list[LogLine]:
    """The lines of a log that are not empty. A progress bar's carriage returns end lines too."""
    lines: list[LogLine] = []
    before: datetime | None = None
    for part in _END.split(_COLOURS.sub("", text.replace("\0", ""))):
        if not part.strip():
            continue
        before = _time(part[:_HEAD]) or before
        source = _SOURCE.search(part[:_HEAD])
        lines.append(LogLine(part.rstrip(), before, _level(part[:_HEAD]), source[1] if source else ""))
    return lines


def seconds_between(earlier: datetime | None, later: datetime | None) -> float | None:
    """Seconds from one time to another, None where one of them is not known."""
    if earlier is None or later is None:
        return None
    return (later - earlier) / timedelta(seconds=1)


def _time(head: str) -> datetime | None:
    found = _TIME.search(head)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    micro = int(((found[7] or "").ljust(3, "0") + (found[8] or "")).ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, micro)
    except ValueError:  # digits that are no time
        return None


def _level(head: str) -> Level:
    found = _LEVEL.search(head)
    if found is None:
        return ""
    return _LEVELS.get((found[1] or found[2] or found[3]).upper(), "")
