"""The catalogue of known failures, ``failures.toml`` beside this file, which names its sources."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

from lingctl.engine.logs import FailureKind

# Where a statement comes from.
Seen = Literal["3.0.0 on a CPU", "3.0.0's source", "documents"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A known failure.

    Attributes:
        id: stable name: A configuration, B files and model, C memory, D ports, E several nodes, F devices,
            G the node itself, H harmless, R requests, S a stop, W the daemon's end, Z what only follows.
        signature: texts of which one appears in the line.
        pattern: a regular expression instead of those, or None.
        kind: how much the line says about the true cause, as ``failures.toml`` explains.
        cause: what is wrong.
        remedy: what to do.
        until: a later line with one of these texts says that the waiting is over.
        also_waiting: whether the daemon does not end of it, and waits for ever.
        ends: whether it may end a daemon; what it survives is never the cause of its end.
        seen: where the statement comes from.
    """

    id: str
    signature: tuple[str, ...]
    pattern: re.Pattern[str] | None
    kind: FailureKind
    cause: str
    remedy: str
    until: tuple[str, ...] = ()
    also_waiting: bool = False
    ends: bool = True
    seen: Seen = "documents"

    @property
    def inferred(self) -> bool:
        """Whether no line shows it: it is told from how far a daemon came and how it ended."""
        return not self.signature and self.pattern is None

    def matches(self, line: str) -> bool:
        """Whether the line shows this failure."""
        if self.pattern is not None:
            return self.pattern.search(line) is not None
        return any(text in line for text in self.signature)


@cache
def catalogue() -> tuple[Failure, ...]:
    """Every known failure, in the order in which they are looked for."""
    text = resources.files("lingctl.mindie.logs").joinpath("failures.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    remedies = table.pop("remedies")
    return tuple(_failure(name, row, remedies) for name, row in table.items())


@lru_cache(maxsize=4096)  # every reader of a log asks again
def match(line: str) -> Failure | None:
    """The failure that a line shows, if it shows a known one."""
    for failure in catalogue():
        if failure.matches(line):
            return failure
    return None


@cache
def named(name: str) -> Failure:
    """The failure with this id."""
    return next(failure for failure in catalogue() if failure.id == name)


def _failure(name: str, row: Mapping[str, Any], remedies: Mapping[str, str]) -> Failure:
    remedy = str(row["remedy"])
    return Failure(
        id=name,
        signature=tuple(row.get("signature", ())),
        pattern=re.compile(row["pattern"]) if "pattern" in row else None,
        kind=row.get("kind", "cause"),
        cause=row["cause"],
        remedy=remedies[remedy[1:]] if remedy.startswith("@") else remedy,
        until=tuple(row.get("until", ())),
        also_waiting=row.get("also_waiting", False),
        ends=row.get("ends", True),
        seen=row.get("seen", "documents"),
    )
