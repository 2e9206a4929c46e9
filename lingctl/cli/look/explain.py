"""``lingctl explain``: what a code means, and why the daemon of a log ended."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption


def explain(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE|FILE|-]...", help="Codes, logs, folders, archives of collect; - is what is pasted."
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Whose words these are (mindie, vllm), where they do not tell.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell what a code means, or why the daemon of a log ended. Needs no cluster and no network.

    Codes: what stands in brackets behind an error (disk-full), the name of a check (link), EI0006, 507035,
    MIE04E02011C, ERR01100, an exit status (134), an id of the catalogue (E4).
    Logs: any file, also packed (gzip, xz, zip), GBK or UTF-16; several files are those of several nodes, and
    the first cause over all is named; a folder or archive of `lingctl collect`; without an argument, what is
    piped in.

    Exit status 3 when nothing known explains it.
    """
    from lingctl.flows.look.explain.answers import STANDARD_INPUT
    from lingctl.flows.look.explain.answers import explain as explained
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer_file, say
    from lingctl.output.verbs.explained import explained_document, print_explained

    # A closed standard input is none.
    typed = sys.stdin is not None and sys.stdin.isatty()
    stdin = sys.stdin.buffer if sys.stdin is not None else io.BytesIO()
    if not what and typed:
        answer_file(context.get_help())
        return
    asked = what or [STANDARD_INPUT]
    if STANDARD_INPUT in asked and typed:
        say("Paste the log, then end with Ctrl-D on a line of its own.")
    told = explained(asked, stdin, engine=engine)
    if as_json:
        print_json("explain", explained_document(told))
    else:
        print_explained(told)
    if not told.known:
        raise typer.Exit(3)
