"""Asking before a change."""

from __future__ import annotations

import shlex
import sys

from lingctl.errors import UsageError
from lingctl.output.terminal import conversation, interactive


def confirm(question: str, *, yes: bool) -> bool:
    """Ask; true when the user agrees or ``--yes`` was given.

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
    conversation().print(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
