"""How far a daemon came, by the words that its console shows on the way, and where its code was. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

from lingctl.engine.words.first_errors import without_head
from lingctl.engine.words.log_lines import LogLine

# What tells of a daemon's life stands at the beginning of a line.
LONGEST_WORDS = 1000
_TRACEBACK_LINES = 12
S = TypeVar("S", bound=IntEnum)


def milestones_in(
    lines: Sequence[LogLine], milestones: Sequence[tuple[str, S]], unknown: S
) -> tuple[S, int, int | None]:
    """The last stage that is known to be reached, the index of the line that shows it, and that of the first
    line of a daemon that serves.

    Args:
        milestones: words, and what they show; what is looked for first stands first, serving above all.
        unknown: the stage of a console without any; the index is then -1.
    """
    stage, reached, served = unknown, -1, None
    for at, line in enumerate(lines):
        text = line.text[:LONGEST_WORDS]
        shown = next((milestone for words, milestone in milestones if words in text), unknown)
        if shown is not unknown and shown >= stage:
            stage, reached = shown, at
        if shown is milestones[0][1] and served is None:
            served = at
    return stage, reached, served


def frame_before(lines: Sequence[LogLine], at: int) -> str:
    """Where an exception was thrown: the last frame of the traceback before its line; empty without one."""
    near = reversed(lines[max(0, at - _TRACEBACK_LINES) : at])
    return next((without_head(line.text).strip() for line in near if 'File "' in line.text), "")
