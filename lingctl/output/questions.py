"""Asking before a change."""

from __future__ import annotations

import shlex
import sys

from lingctl.errors import UsageError
from lingctl.output.terminal import conversation, interactive, words


def confirm(question: str, *, yes: bool) -> bool:
    """Ask; true when the user agrees (``y`` or ``yes``, in small letters or capitals) or ``--yes`` was given.

    Anything else is a no, and so is Ctrl-D.

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
    out = conversation()
    out.print(words(f"{question} [y/N] "), end="")
    said = ""
    try:
        said = sys.stdin.readline()
    except (OSError, UnicodeDecodeError):
        pass  # the terminal went away, or what was typed is no text: neither is consent
    finally:
        if not said.endswith("\n"):
            out.print()  # Ctrl-D and Ctrl-C leave the cursor behind the question
    return said.strip().lower() in ("y", "yes")
