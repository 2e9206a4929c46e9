"""The lines of a log that are worth quoting where nothing known explains it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lingctl.engine.words.failure_catalogue import Catalogue
from lingctl.engine.words.log_lines import LogLine
from lingctl.engine.words.relevance import Lived, follows_the_end

LONGEST_LINE = 200
_ERROR_LINE = re.compile(
    r"\[ERROR\]|\bERROR\b|\bERR:|(?:^|[\s:\])])[\w.]*(?:Error|Exception)\b.*:|\(?\bE[A-Z1-9]\d{4}\b\)?:|\bFATAL\b"
    r"|core dumped|核心已转储|terminate called|^\S*\[error\]|\[error\]"
)
_TRACEBACK = "Traceback (most recent call last)"
_FRAME = re.compile(r'^\s*(?:\[rank\d+\]:)?\s*(?:File ".*", line \d+|\^+|~+)')
_EXCEPTION = re.compile(
    r"^(?:\[?rank ?\d+\]?:?\s*)?[\w.]*(?:Error|Exception|Interrupt|Exit|Failure)\b(?::|$)"
)
_HEAD = re.compile(r"^(?:\([^()]*\)\s*)*(?:[A-Z]+ [\d: -]+\[[^\]]*\] ?)?")
# What a long line is quoted for.
_POINT = re.compile(r"operator name is \S+|error code(?: is|:) ?\S+")
_CUT = "..."
_SEARCHED = 1000


def first_errors_of(
    lines: Sequence[LogLine],
    life: Lived,
    catalogue: Catalogue,
    is_of_a_request: Callable[[LogLine], bool],
    limit: int,
) -> list[str]:
    """The lines that look like errors, for what is not known: the first of a start, the last before the end
    of a daemon that served. The last lines of all where none does. No two of them say the same.

    Lines that are known to say only that something else failed stand behind all others.
    """
    errors = _Errors(lines, life, catalogue, is_of_a_request)
    shown = list(dict.fromkeys(errors.found()))
    if not shown:
        ordinary = [shortened(line.text) for line in lines if not errors.is_noise(line)]
        return ordinary[-limit:]
    if life.served is not None and life.ended_at is not None:
        return shown[-limit:]
    return [*(one for one in shown if not errors.follows(one)), *filter(errors.follows, shown)][:limit]


def shortened(text: str, place: int = 0) -> str:
    """A line cut to what matters: what stands at ``place`` is in it."""
    text = text.strip()
    if len(text) <= LONGEST_LINE:
        return text
    room = LONGEST_LINE - len(_CUT)
    if place <= room - 60:
        return text[:room] + _CUT
    start = min(max(0, place - 60), len(text) - room)
    ending = _CUT if start + room < len(text) else ""
    return _CUT + text[start : start + room - len(_CUT) * bool(ending)] + ending


@dataclass(frozen=True, slots=True)
class _Errors:
    lines: Sequence[LogLine]
    life: Lived
    catalogue: Catalogue
    is_of_a_request: Callable[[LogLine], bool]

    def found(self) -> Iterator[str]:
        """As they are quoted, in order."""
        lines = self.lines
        for at, line in enumerate(lines):
            if _TRACEBACK in line.text:
                named = _exception_of(lines, at)
                told = named is not None and not self._says_nothing(named)
                if named is not None and told and not follows_the_end(lines, at, self.life):
                    yield _quoted(named)
            elif (
                _ERROR_LINE.search(line.said[:_SEARCHED])
                and not self._says_nothing(line)
                and not _of_a_traceback(lines, at)
            ):
                if follows_the_end(lines, at, self.life):
                    continue
                yield _quoted(line)

    def is_noise(self, line: LogLine) -> bool:
        """Whether it never says why: a request's line, or one that is known to be harmless."""
        if self.is_of_a_request(line):
            return True
        failure = self.catalogue.match(line.said)
        return failure is not None and failure.kind in ("harmless", "request")

    def follows(self, quoted: str) -> bool:
        """Whether a quoted line's words only say that something else failed; a general code is more."""
        failure = self.catalogue.match(quoted)
        return failure is not None and failure.kind == "consequence" and failure.says(quoted)

    def _says_nothing(self, line: LogLine) -> bool:
        if line.level in ("warning", "information") or self.is_noise(line):
            return True
        failure = self.catalogue.match(line.said)
        return failure is not None and failure.kind == "waiting"


def _exception_of(lines: Sequence[LogLine], at: int) -> LogLine | None:
    """The line that names the exception of the traceback that begins at an index."""
    for line in lines[at + 1 : at + 200]:
        if _TRACEBACK in line.text:
            return None
        if _EXCEPTION.match(without_head(line.text).strip()):
            return line
    return None


def _quoted(line: LogLine) -> str:
    point = _POINT.search(line.text[:_SEARCHED])
    return shortened(line.text, point.end() if point else 0)


def _of_a_traceback(lines: Sequence[LogLine], at: int) -> bool:
    said, before = (without_head(lines[one].text) if one >= 0 else "" for one in (at, at - 1))
    source = said.startswith("    ") and _FRAME.match(before) is not None
    return source or _FRAME.match(said) is not None or not said.strip()


def without_head(text: str) -> str:
    """A line without what a worker or its logger wrote before it."""
    return _HEAD.sub("", text[:_SEARCHED])
