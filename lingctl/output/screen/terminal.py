"""The two streams: answers go to standard output, conversation to standard error.

Colour and box drawing appear on a terminal only, and never where NO_COLOR or TERM=dumb asks for none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from lingctl.output.screen.harmless import MOST, harmless, written_out
from lingctl.output.screen.streams import obeyed
from lingctl.output.screen.wrapping import broken

STYLES = {"pass": "green", "note": "cyan", "warning": "yellow", "unknown": "magenta", "failure": "bold red"}
_PIPE_WIDTH = 10_000
_DUMB = ("dumb", "unknown")
_ENDS = re.compile(r"[\r\n\t]+")
# A line of a log may be a whole traceback or request.
MOST_OF_AN_ANSWER = 100_000


class _Steady(Console):
    """Prints what it is given, and obeys nothing in it; only styles of ours become escape sequences.

    It leaves the cursor alone: so nothing has to be put back, however the process ends.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See ``Console.render``: all that is printed passes here, before styles are added to it."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else written_out(segment.text)
            yield segment if text is segment.text else Segment(text, segment.style)

    @property
    def is_dumb_terminal(self) -> bool:
        """Whether Rich should take a terminal for one of 80 columns: never, it has a size of its own."""
        return False

    def show_cursor(self, show: bool = True) -> bool:
        """Do nothing."""
        return False


def _console(stream: IO[str]) -> Console:
    terminal = stream.isatty()
    plain = not terminal or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in _DUMB
    return _Steady(
        file=obeyed(stream),
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


def ascii_alone(console: Console) -> bool:
    """Whether a terminal or pipe takes ASCII alone: by its encoding, or where the locale is that of C."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    try:
        "✓…✗·".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return named in ("C", "POSIX")


def in_encoding(text: str, console: Console) -> str:
    """A text as the stream writes it out where its encoding lacks characters."""
    encoding = console.encoding
    return text if encoding.startswith("utf") else text.encode(encoding, "backslashreplace").decode(encoding)


def words(text: str, style: str = "", most: int = MOST) -> Text:
    """A text from anywhere as it may be shown, in a style. Every text that is printed comes through here."""
    return Text(harmless(text, most), style=style)


def one_line(text: str) -> str:
    """A text without line ends and tabs, for where each thing has one line."""
    return " ".join(part.strip() for part in _ENDS.split(text))


def joined(*parts: Text) -> Text:
    """Texts one behind the other, each in its style."""
    return Text.assemble(*parts)


def blanks(count: int) -> Text:
    """So many blanks; none for what is below 0."""
    return Text(" " * count)


def filled(text: Text, width: int, *, right: bool = False) -> Text:
    """A text with blanks behind it, or before it, up to a width."""
    rest = blanks(width - text.cell_len)
    return joined(rest, text) if right else joined(text, rest)


def cut(text: Text, width: int) -> Text:
    """A line that leaves the last column free: a terminal may begin a new line behind it."""
    text = text.copy()
    text.rstrip()
    if text.cell_len > width - 1:
        text.truncate(max(1, width - 3), overflow="crop")
        text.append("..")
    return text


def show(*parts: Text, out: Console | None = None, end: str = "\n", hang: int | None = None) -> None:
    """Print one line of parts, by default to standard output.

    Args:
        hang: it is a sentence: where a terminal is narrower it breaks between words, with so many blanks
            before what follows. Else the terminal breaks it where its last column is.
    """
    console = out or answers()
    line = joined(*parts)
    if hang is None or not console.is_terminal:
        lines = [line]
    else:
        lines = [
            part for one in line.split("\n", allow_blank=True) for part in broken(one, console.width, hang)
        ]
    for number, text in enumerate(lines, 1):
        console.print(text, soft_wrap=True, end=end if number == len(lines) else "\n")


def answer(text: str, most: int = MOST_OF_AN_ANSWER) -> None:
    """Print one line of the answer."""
    show(words(text, most=most))


def answer_file(text: str) -> None:
    """Print a file that was asked for, whole, such as one that can be sent on to another program."""
    sys.stdout.write(written_out(text))
    if not text.endswith("\n"):
        sys.stdout.write("\n")


def answer_sentence(text: str, hang: int = 0) -> None:
    """Print a sentence of the answer; ``hang`` as in ``show``."""
    show(words(text), hang=hang)


def say(text: str, style: str = "") -> None:
    """Print a sentence of conversation."""
    show(words(text, style), out=conversation(), hang=0)


def answer_part(text: str) -> None:
    """Print some of an answer that comes piece by piece, at once."""
    show(words(text), out=answers(), end="")
    sys.stdout.flush()


def say_part(text: str, style: str = "") -> None:
    """Print some of the conversation, without ending the line."""
    show(words(text, style), out=conversation(), end="")
