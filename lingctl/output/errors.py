"""Errors for people and for programs: what and where, the evidence, the remedy."""

from __future__ import annotations

from rich.text import Text

from lingctl.errors import LingctlError
from lingctl.output.documents import print_json
from lingctl.output.terminal import conversation, harmless


def print_error(error: LingctlError) -> None:
    """Print an error in its three parts to standard error."""
    out = conversation()
    where = f"{error.where}: " if error.where else ""
    what = harmless(f"{where}{error.what}")
    out.print(Text.assemble(("error: ", "bold red"), what, (f"  ({error.code})", "dim")), soft_wrap=True)
    for line in error.evidence.strip().splitlines()[-12:]:
        out.print(Text(f"     | {harmless(line)}", style="dim"), soft_wrap=True)
    if error.remedy:
        for number, line in enumerate(error.remedy.splitlines()):
            out.print(Text(f"{'fix: ' if number == 0 else '     ':>7}{harmless(line)}"), soft_wrap=True)


def print_error_document(error: LingctlError) -> None:
    """Print an error as a JSON document to standard output."""
    print_json(
        "error",
        {
            "code": error.code,
            "what": error.what,
            "where": error.where,
            "evidence": error.evidence,
            "remedy": error.remedy,
            "exit_status": error.exit_status,
        },
    )
