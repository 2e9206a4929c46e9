"""The two streams: answers go to standard output, conversation to standard error.

Colour and box drawing appear on a terminal only, and never where NO_COLOR or TERM=dumb asks for none.
"""

from __future__ import annotations

import os
import re
import sys
from typing import IO

from rich.console import Console
from rich.text import Text

STYLES = {"pass": "green", "note": "cyan", "warning": "yellow", "unknown": "magenta", "failure": "bold red"}
_PIPE_WIDTH = 10_000
_DUMB = ("dumb", "unknown")
# What a terminal obeys instead of showing it: C0 but tab and newline, DEL, and C1.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _Steady(Console):
    """Leaves the cursor alone: so nothing has to be put back, however the process ends."""

    def show_cursor(self, show: bool = True) -> bool:
        """Do nothing."""
        return False


def _console(stream: IO[str]) -> Console:
    terminal = stream.isatty()
    plain = not terminal or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in _DUMB
    return _Steady(
        file=stream,
        force_terminal=terminal,
        color_system=None if plain else "auto",
        width=None if terminal else _PIPE_WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
    )


def answers() -> Console:
    """Standard output: what the user asked for."""
    return _console(sys.stdout)


def conversation() -> Console:
    """Standard error: progress, plans, questions, errors."""
    return _console(sys.stderr)


def interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def redraws(console: Console) -> bool:
    """Whether lines can be drawn again in place."""
    return console.is_terminal and os.environ.get("TERM") not in _DUMB


def harmless(text: str) -> str:
    """Foreign text as a terminal may be given it: control characters are shown, not obeyed."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))


def answer(text: str) -> None:
    """Print one line of the answer: as it is in a pipe, harmless on a terminal."""
    out = answers()
    out.print(Text(harmless(text)) if out.is_terminal else text, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Print one line of conversation."""
    conversation().print(Text(harmless(text), style=style), soft_wrap=True)


def answer_part(text: str) -> None:
    """Print some of an answer that comes piece by piece, at once."""
    out = answers()
    out.print(Text(harmless(text)) if out.is_terminal else text, end="", soft_wrap=True)
    sys.stdout.flush()


def say_part(text: str, style: str = "") -> None:
    """Print some of the conversation, without ending the line."""
    conversation().print(Text(harmless(text), style=style), end="", soft_wrap=True)
