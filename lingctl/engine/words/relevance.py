"""Which lines of a console cannot be why its daemon ended: those of its start, those behind the end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lingctl.engine.words.log_lines import LogLine


class Ended(Protocol):
    """How an end began."""

    @property
    def at(self) -> int:
        """Index of the line with which it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What a console tells of its daemon, whatever the engine."""

    reached: int = -1  # index of the line that shows how far it came
    served: int | None = None  # index of its success line, or None
    end: Ended | None = None  # how its end began, or None where the console shows no end
    status: str = ""  # its exit status as its shell told, or empty

    @property
    def ended_at(self) -> int | None:
        """Index of the line with which its end began; None where the console shows no end."""
        return self.end.at if self.end is not None else None


def follows_the_end(lines: Sequence[LogLine], at: int, life: Lived) -> bool:
    """Whether the line was printed after the end began; threads and standard error print out of order."""
    if life.ended_at is None or at < life.ended_at:
        return False
    began, printed = lines[life.ended_at].time, lines[at].time
    return began is None or printed is None or printed >= began


def is_survived(lines: Sequence[LogLine], at: int, life: Lived, *, of_a_start: bool) -> bool:
    """Whether it belongs to a start that succeeded.

    Args:
        lines: of the console.
        at: index of the line.
        life: what the console tells.
        of_a_start: whether only a start prints it.
    """
    if life.served is None:
        return False
    if at < life.served or of_a_start:
        return True
    served, printed = lines[life.served].time, lines[at].time
    return served is not None and printed is not None and printed < served
