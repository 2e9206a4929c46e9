"""``lingctl init``: write the commented starter hosts.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import DEFAULT_HOSTS


def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = DEFAULT_HOSTS,
    node: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Address of a machine, or NAME=ADDRESS; repeat for more."),
    ] = None,
    user: Annotated[str, typer.Option(metavar="NAME", help="Login name there; default: ssh's own.")] = "",
    key: Annotated[str, typer.Option(metavar="FILE", help="Key file here; default: ssh's own.")] = "",
    model: Annotated[str, typer.Option(help="A model of the catalogue.", show_default="Ling-lite")] = "",
    mindie: Annotated[str, typer.Option(help="MindIE version.", show_default="1.0.0")] = "",
    engine: Annotated[
        str,
        typer.Option(metavar="NAME[:VERSION]", help="Another engine than MindIE: vllm, vllm:0.23.0."),
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the deployment.")] = "ling",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; defaults count.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print it instead of writing it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented hosts.yaml to start from, and beside it the schema for editors.

    On a terminal it asks for what no option gives. What it writes passes `lingctl config check`.
    """
    from lingctl.flows.files.start_file import StartFile, need_free, start_file, write_start
    from lingctl.inventory.typed_engine import one_engine
    from lingctl.output.screen.terminal import answer_file, interactive, say
    from lingctl.output.verbs.init import NotAgreed, ask_for_start

    given = {"nodes": node, "user": user, "key": key, "model": model, "engine": mindie or engine}
    asked = frozenset(field for field, value in given.items() if not value)
    wish = StartFile(name, model or "Ling-lite", one_engine(mindie, engine), tuple(node or ()), user, key)
    if show:
        answer_file(start_file(wish, judged=False))
        return
    need_free(output, force=force)
    if yes or not interactive():
        text = start_file(wish)
    else:
        try:
            text = ask_for_start(wish, asked, output)
        except NotAgreed:
            say("Nothing was written.")
            raise typer.Exit(1) from None
    with_schema = write_start(output, text, force=force)
    beside = "" if with_schema else f" ({output.parent / 'hosts.schema.json'} is another file and was left)"
    put_in = "" if node or (not yes and interactive()) else " Put your machines' addresses in, then:"
    say(f"Wrote {output}{beside}.{put_in or ' Next:'} lingctl check-network --nodes {output}")
