"""The two streams: answers go to standard output, conversation to standard error.

Colour and box drawing appear on a terminal only, and never where NO_COLOR or TERM=dumb asks for none.
"""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console
from rich.text import Text

STYLES = {"pass": "green", "note": "cyan", "warning": "yellow", "unknown": "magenta", "failure": "bold red"}


def _console(stream: IO[str]) -> Console:
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or not stream.isatty()
    if plain:
        width = 10_000 if not stream.isatty() else None
        return Console(
            file=stream, color_system=None, highlight=False, width=width, emoji=False, markup=False
        )
    return Console(file=stream, highlight=False, emoji=False, markup=False)


def answers() -> Console:
    """Standard output: what the user asked for."""
    return _console(sys.stdout)


def conversation() -> Console:
    """Standard error: progress, plans, questions, errors."""
    return _console(sys.stderr)


def interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def answer(text: str) -> None:
    """Print one line of the answer, as it is."""
    answers().print(text, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Print one line of conversation, as it is."""
    conversation().print(Text(text, style=style), soft_wrap=True)
