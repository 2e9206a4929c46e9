"""The catalogue of known failures, ``failures.toml`` beside this file, which names its sources.

A line shows a failure by words, or by a code: MindIE's, or one of CANN, HCCL, the driver or torch_npu. Codes
that no row names are failures of their own, with their vendor's meaning (``lingctl.engine.vendor_codes``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

from lingctl.engine.logs import Confidence, FailureKind
from lingctl.engine.vendor_codes import codes_in, vendor_code

# Where a statement comes from.
Seen = Literal["3.0.0 on a CPU", "3.0.0's source", "documents"]
_PIECE, _OVERLAP = 1500, 300
_MINDIE_CODE = re.compile(r"(?<![A-Za-z0-9])MIE0[0-9][A-Z][0-9A-F]{6}(?![A-Za-z0-9])")
# Of what one line shows, what says most.
_TELLING: tuple[FailureKind, ...] = (
    "harmless",
    "request",
    "waiting",
    "cause",
    "stopped",
    "network",
    "consequence",
)
# What the engine itself refuses is certain; other groups are other programs' words, unless a row says more.
_OWN_GROUPS = "ABCDFGRSW"


@dataclass(frozen=True, slots=True)
class Failure:
    """A known failure."""

    # stable name: A configuration, B files and model, C memory, D ports, E several nodes, F devices, G the
    # node itself, H harmless, R requests, S a stop, W the daemon's end, Z what only follows; or a vendor's
    # code
    id: str
    signature: tuple[str, ...]  # texts of which one appears in the line
    pattern: re.Pattern[str] | None  # a regular expression beside those, or None
    codes: tuple[str, ...]  # codes beside those
    kind: FailureKind  # how much the line says about the true cause, as ``failures.toml`` explains
    cause: str  # what is wrong
    remedy: str  # what to do
    confidence: Confidence = "certain"  # how sure a line that shows it makes the cause
    until: tuple[str, ...] = ()  # a later line with one of these texts says that the waiting is over
    also_waiting: bool = False  # whether the daemon does not end of it, and waits for ever
    ends: bool = True  # whether it may end a daemon; what it survives is never the cause of its end
    seen: Seen = "documents"  # how far the statement was checked
    source: str = ""  # where it stands

    @property
    def inferred(self) -> bool:
        """Whether no line shows it: it is told from how far a daemon came and how it ended."""
        return not self.signature and self.pattern is None and not self.codes

    def says(self, line: str) -> bool:
        """Whether the line's words show this failure; its codes are another matter."""
        if any(text in line for text in self.signature):
            return True
        return self.pattern is not None and self.pattern.search(line) is not None

    def place(self, line: str) -> int:
        """Where in the line it shows; 0 where that is not known."""
        if self.pattern is not None and (found := self.pattern.search(line)):
            return found.start()
        return max((line.find(one) for one in (*self.signature, *self.codes)), default=0)


@cache
def catalogue() -> tuple[Failure, ...]:
    """Every known failure, in the order in which they are looked for."""
    file = resources.files("lingctl.mindie.logs.catalogue").joinpath("failures.toml")
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    remedies = table.pop("remedies")
    return tuple(_failure(name, row, remedies) for name, row in table.items())


@lru_cache(maxsize=4096)  # every reader of a log asks again
def match(line: str) -> Failure | None:
    """The failure that a line shows, if it shows a known one: by its words, or by a code that says more."""
    shown = [failure for part in _parts(line) for failure in _shown(part)]
    return min(shown, key=lambda failure: _TELLING.index(failure.kind), default=None)


def _shown(part: str) -> Iterator[Failure]:
    by_words = next((failure for failure in catalogue() if failure.says(part)), None)
    if by_words is not None:
        yield by_words
    for code in all_codes_in(part):
        if (by_code := failure_of(code)) is not None:
            yield by_code


def _parts(line: str) -> Iterator[str]:
    """A line in pieces that overlap: what shows a failure is short, and no expression has to see more."""
    for start in range(0, max(len(line), 1), _PIECE):
        yield line[start : start + _PIECE + _OVERLAP]


def all_codes_in(line: str) -> list[str]:
    """MindIE's codes and those of Ascend's other software in a line."""
    own = _MINDIE_CODE.findall(line)
    return [*own, *codes_in(line)]


@cache
def failure_of(code: str) -> Failure | None:
    """The failure that a code shows by itself; None where the code is not known."""
    for failure in catalogue():
        if code in failure.codes:
            return failure
    known = vendor_code(code)
    if known is None:
        return None
    return Failure(
        id=code,
        signature=(),
        pattern=None,
        codes=(code,),
        kind=known.kind,
        cause=known.meaning,
        remedy=known.remedy,
        confidence="unknown" if known.kind == "consequence" else "likely",
        source=known.source,
    )


@cache
def named(name: str) -> Failure:
    """The failure with this id."""
    return next(failure for failure in catalogue() if failure.id == name)


def _failure(name: str, row: Mapping[str, Any], remedies: Mapping[str, str]) -> Failure:
    remedy = str(row["remedy"])
    kind: FailureKind = row.get("kind", "cause")
    return Failure(
        id=name,
        signature=tuple(row.get("signature", ())),
        pattern=re.compile(row["pattern"]) if "pattern" in row else None,
        codes=tuple(row.get("codes", ())),
        kind=kind,
        cause=row["cause"],
        remedy=remedies[remedy[1:]] if remedy.startswith("@") else remedy,
        confidence=row.get("confidence", _usual_confidence(name, kind)),
        until=tuple(row.get("until", ())),
        also_waiting=row.get("also_waiting", False),
        ends=row.get("ends", True),
        seen=row.get("seen", "documents"),
        source=row["source"],
    )


def _usual_confidence(name: str, kind: FailureKind) -> Confidence:
    if kind == "consequence":
        return "unknown"
    if kind in ("network", "waiting"):
        return "likely"
    return "certain" if name[0] in _OWN_GROUPS else "likely"
