"""Asking before a change: the one question, its answers, and what can be read before it is answered."""

from __future__ import annotations

import shlex
import sys
import termios
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress

from rich.text import Text

from lingctl.errors import UsageError
from lingctl.output.screen.terminal import conversation, interactive, words

_YES, _NO, _DIFFERENCES = ("y", "yes"), ("", "n", "no"), ("d", "diff")


def confirm(question: str, *, yes: bool, differences: Callable[[], Sequence[Text]] | None = None) -> bool:
    """Ask; true when the user agrees (``y`` or ``yes``, in small letters or capitals) or ``--yes`` was given.

    ``n``, an empty line and Ctrl-D are a no; ``d`` shows the ``differences``, if there are any, and asks
    again, as anything else does.

    Raises:
        UsageError: nobody is there to ask; names the command to type.
    """
    if yes:
        return True
    if not interactive():
        again = shlex.join(["lingctl", *sys.argv[1:], "--yes"])
        raise UsageError(
            "this changes nodes and needs your consent, but there is no terminal to ask on",
            remedy=f"read the plan, then type: {again}",
            code="needs-consent",
        )
    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the question does not answer it
    more = " (d shows the differences)" if differences else ""
    while True:
        said = _typed(f"{question} [y/N]{more} ")
        if said is None or said in _NO:
            return False
        if said in _YES:
            return True
        if differences and said in _DIFFERENCES:
            show_pages(differences())
        else:
            conversation().print(words(f"Type y or n{', or d for the differences' if differences else ''}."))


def show_pages(lines: Sequence[Text]) -> None:
    """Show lines a screenful at a time; a person goes on with Enter, or ends it with ``q``."""
    out, shown = conversation(), 0
    while True:
        room = out.size.height - 2
        begun = shown
        while shown < len(lines):
            room -= max(1, -(-lines[shown].cell_len // max(out.width, 1)))
            if room < 0 and shown > begun:
                break
            out.print(lines[shown], soft_wrap=True)
            shown += 1
        left = len(lines) - shown
        if not left or _typed(f"-- {left} more line{'s'[: left > 1]}: Enter goes on, q ends this -- ") != "":
            return


def _typed(question: str) -> str | None:
    """What is typed at a question, in small letters; None for Ctrl-D and a terminal that is gone."""
    said = typed_line(question)
    return said.lower() if said is not None else None


def typed_line(question: str) -> str | None:
    """What is typed at a question; None for Ctrl-D and a terminal that is gone."""
    out = conversation()
    out.print(words(question), end="", soft_wrap=True)
    said = ""
    try:
        said = sys.stdin.readline()
    except UnicodeDecodeError:
        said = "?\n"  # no text, and so no answer
    except OSError:
        pass  # the terminal went away
    finally:
        if not said.endswith("\n"):
            out.print()  # Ctrl-D and Ctrl-C leave the cursor behind the question
    # Whoever writes Chinese may type full-width letters.
    return unicodedata.normalize("NFKC", said).strip() if said.endswith("\n") else None
