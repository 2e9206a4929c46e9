"""Catalogues of known failures: an engine's own rows, and those that any engine may meet.

The latter are in ``failures.toml`` beside this file: words of HCCL, CANN, the driver, torch_npu, the
container runtime, the kernel, Python and Hugging Face's libraries. Each file names its sources. A line shows
a failure by words, or by a code: the engine's, or one of Ascend's software. Codes that no row names are
failures of their own, with their vendor's meaning (``lingctl.engine.vendor_codes``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any, Literal

from lingctl.engine.logs import Confidence, FailureKind
from lingctl.engine.vendor_codes import codes_in, vendor_code

# Where a statement comes from.
Seen = Literal["3.0.0 on a CPU", "3.0.0's source", "0.32.0 on a CPU", "0.32.0's source", "documents"]
_PIECE, _OVERLAP = 1500, 300
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
_SHARED = ("lingctl.engine.words", "failures.toml")


@dataclass(frozen=True, slots=True)
class Failure:
    """A known failure."""

    # stable name: A configuration, B files and model, C memory, D ports, E several nodes, F devices, G the
    # node itself, H harmless, R requests, S a stop, W the daemon's end, Z what only follows; or a vendor's
    # code
    id: str
    cause: str  # what is wrong
    remedy: str  # what to do
    source: str  # where it stands
    confidence: Confidence  # how sure a line that shows it makes the cause
    kind: FailureKind = "cause"  # how much the line says about the true cause, as ``failures.toml`` explains
    signature: tuple[str, ...] = ()  # texts of which one appears in the line
    pattern: str = ""  # a regular expression beside those, or nothing
    codes: tuple[str, ...] = ()  # codes beside those
    until: tuple[str, ...] = ()  # a later line with one of these texts says that the waiting is over
    also_waiting: bool = False  # whether the daemon does not end of it, and waits for ever
    ends: bool = True  # whether it may end a daemon; what it survives is never the cause of its end
    seen: Seen = "documents"  # how far the statement was checked

    @property
    def inferred(self) -> bool:
        """Whether no line shows it: it is told from how far a daemon came and how it ended."""
        return not self.signature and not self.pattern and not self.codes

    def says(self, line: str) -> bool:
        """Whether the line's words show this failure; its codes are another matter."""
        return any(text in line for text in self.signature) or self._found(line) is not None

    def place(self, line: str) -> int:
        """Where in the line it shows; 0 where that is not known."""
        if found := self._found(line):
            return found.start()
        return max((line.find(one) for one in (*self.signature, *self.codes)), default=0)

    def _found(self, line: str) -> re.Match[str] | None:
        # Compiled when it is first needed: most verbs look for a few rows alone.
        return _compiled(self.pattern).search(line) if self.pattern else None


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What is known of one engine's failures."""

    own: tuple[Failure, ...]  # the engine's own rows
    shared: tuple[Failure, ...]  # those of any engine
    own_codes: re.Pattern[str] | None  # the engine's own codes, or None where it has none

    @cached_property
    def rows(self) -> tuple[Failure, ...]:
        """All, in the order in which they are looked for."""
        return (*self.own, *self.shared)

    def match(self, line: str) -> Failure | None:
        """The failure that a line shows, if it shows a known one: by words, or by a code that says more."""
        return _match(self, line)

    def codes_in(self, line: str) -> list[str]:
        """The engine's codes and those of Ascend's software in a line."""
        own = self.own_codes.findall(line) if self.own_codes is not None else []
        return [*own, *codes_in(line)]

    def failure_of(self, code: str) -> Failure | None:
        """The failure that a code shows by itself; None where the code is not known."""
        return _failure_of(self, code)

    def find(self, name: str) -> Failure | None:
        """The failure with an id; None where there is none."""
        return next((failure for failure in self.rows if failure.id == name), None)

    def named(self, name: str) -> Failure:
        """The failure with an id that is known to be there."""
        return next(failure for failure in self.rows if failure.id == name)


_compiled = cache(re.compile)


def read_catalogue(package: str, own_codes: re.Pattern[str] | None = None) -> Catalogue:
    """The catalogue of the engine whose ``failures.toml`` lies in a package; what it says goes before what is
    shared."""
    return Catalogue(tuple(_rows(package, "failures.toml")), tuple(_rows(*_SHARED)), own_codes)


def _rows(package: str, name: str) -> Iterator[Failure]:
    table = tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))
    remedies = table.pop("remedies")
    for row_name, row in table.items():
        yield _failure(row_name, row, remedies)


@lru_cache(maxsize=8192)  # every reader of a log asks again
def _match(catalogue: Catalogue, line: str) -> Failure | None:
    shown = [failure for part in _parts(line) for failure in _shown(catalogue, part)]
    return min(shown, key=lambda failure: _TELLING.index(failure.kind), default=None)


def _shown(catalogue: Catalogue, part: str) -> Iterator[Failure]:
    by_words = next((failure for failure in catalogue.rows if failure.says(part)), None)
    if by_words is not None:
        yield by_words
    for code in catalogue.codes_in(part):
        if (by_code := catalogue.failure_of(code)) is not None:
            yield by_code


def _parts(line: str) -> Iterator[str]:
    """A line in pieces that overlap: what shows a failure is short, and no expression has to see more."""
    for start in range(0, max(len(line), 1), _PIECE):
        yield line[start : start + _PIECE + _OVERLAP]


@cache
def _failure_of(catalogue: Catalogue, code: str) -> Failure | None:
    for failure in catalogue.rows:
        if code in failure.codes:
            return failure
    known = vendor_code(code)
    if known is None:
        return None
    sure: Confidence = "unknown" if known.kind == "consequence" else "likely"
    kind = known.kind or "cause"
    return Failure(code, known.meaning, known.remedy, known.source, sure, kind, codes=(code,))


def _failure(name: str, row: Mapping[str, Any], remedies: Mapping[str, str]) -> Failure:
    told: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    told.setdefault("confidence", _usual_confidence(name, row.get("kind", "cause")))
    if told["remedy"].startswith("@"):
        told["remedy"] = remedies[told["remedy"][1:]]
    return Failure(name, **told)


def _usual_confidence(name: str, kind: FailureKind) -> Confidence:
    if kind == "consequence":
        return "unknown"
    if kind in ("network", "waiting"):
        return "likely"
    return "certain" if name[0] in _OWN_GROUPS else "likely"
