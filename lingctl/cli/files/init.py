"""``lingctl init``: write the commented starter hosts.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import DEFAULT_HOSTS

_EXAMPLE_NODES = {"plus": ["192.0.2.11", "192.0.2.12"], "lite": ["192.0.2.11"]}


def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = DEFAULT_HOSTS,
    name: Annotated[str, typer.Option(help="Name of the deployment.")] = "ling",
    model: Annotated[str, typer.Option(help="A model of the catalogue.")] = "Ling-lite",
    mindie: Annotated[str, typer.Option(help="MindIE version.", show_default="1.0.0")] = "",
    engine: Annotated[
        str,
        typer.Option(
            "--engine", metavar="NAME[:VERSION]", help="Another engine than MindIE: vllm, vllm:0.23.0."
        ),
    ] = "",
    node: Annotated[list[str] | None, typer.Option(help="Address of a machine; repeat for more.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print it instead of writing it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented hosts.yaml to start from."""
    from lingctl.engines import engine_at, engine_chosen, usual_engine
    from lingctl.errors import UsageError
    from lingctl.flows.run.whole_file import no_room, write_file
    from lingctl.inventory.engine_choice import engine_typed, one_engine
    from lingctl.inventory.starter import starter_hosts
    from lingctl.output.terminal import answer_file, say

    nodes = node or _EXAMPLE_NODES["plus" if "plus" in model.lower() else "lite"]
    one_engine(mindie, engine)
    choice = engine_typed(engine) if engine else None
    about = (engine_chosen(choice) if choice else engine_at(mindie) if mindie else usual_engine()).about
    if choice is not None and choice.version is None:
        choice = choice.model_copy(update={"version": about.version})
    text = starter_hosts(name=name, model=model, mindie=about.version, nodes=nodes, engine=choice)
    if show:
        answer_file(text)
        return
    if output.exists() and not force:
        raise UsageError(
            f"{output} is already there",
            remedy="write elsewhere with -o FILE, or replace it with --force",
            code="file-exists",
        )
    try:
        output.parent.stat()  # a mistyped folder is not made
        write_file(output, text.encode())
    except OSError as error:
        raise no_room(error, output) or UsageError(
            f"cannot write {output}: {error.strerror}", remedy="name another file with -o", code="output"
        ) from error
    say(f"Wrote {output}. Put your machines' addresses in, then: lingctl check-network --nodes {output}")
