"""``lingctl render``: the files that deploy would send, and the check of files that exist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lingctl.cli.common import EngineOption, JsonOption, NodesOption, optional_cluster, required_cluster

if TYPE_CHECKING:
    from lingctl.flows.files.inputs import Known
    from lingctl.flows.files.render import Rendered, RenderPart
    from lingctl.inventory.cluster import Cluster


# The same as RenderPart: the command line needs it to list its verbs, when no flow is imported yet.
What = Literal["config", "ranktable", "environment", "container", "model-config", "all"]


def render(
    what: Annotated[What | None, typer.Argument(help="Default: all.", show_default=False)] = None,
    nodes: NodesOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write <node>/<file> to.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the merged values and where each came from.")
    ] = False,
    facts: Annotated[
        Path | None,
        typer.Option("--from", help="Facts saved by `check-network --save`; no node is asked."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the nodes for weights and cards, as deploy does.")
    ] = False,
    model_config: Annotated[Path | None, typer.Option(help="The model's downloaded config.json.")] = None,
    weights: Annotated[
        str, typer.Option(help="Folder of the weights on the nodes, if converted ones differ.")
    ] = "",
    check: Annotated[
        Path | None,
        typer.Option(help="Judge an existing config.json, rank table or model config instead."),
    ] = None,
    mindie: Annotated[str, typer.Option(help="MindIE version; default: the one in hosts.yaml.")] = "",
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write the files that deploy would send, byte for byte, or judge files that exist (--check).

    Nodes are asked only where needed: for the cards' addresses of a rank table, or with --live.
    Exit status 3 when --check finds that the engine would refuse the file.
    """
    from lingctl.cli.files.values import print_values
    from lingctl.engines import engine_of
    from lingctl.flows.files.render import rendered, write_files
    from lingctl.inventory.typed_engine import one_engine, with_typed_engine
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import say

    typed = one_engine(mindie, engine)
    if check is not None:
        _check(check, nodes, typed, as_json)
        return
    cluster = with_typed_engine(required_cluster(nodes), typed)
    if show:
        flag = "flag --mindie" if mindie else "flag --engine"
        names = ("mindie", "engine", "engine.version") if typed else ()
        print_values(cluster, dict.fromkeys(names, flag), as_json)
        return
    part = what or "all"
    known = _known(cluster, part, facts=facts, live=live, model_config=model_config, weights=weights)
    files = rendered(cluster, part, known)
    served = engine_of(cluster)
    remarks = served.remarks(cluster)
    notes = (*remarks, *known.notes)
    for note in remarks if part == "ranktable" else notes:
        say(note)
    if output is not None:
        write_files(files, output)
        say(f"Wrote {len(files)} files to {output}.")
    if not as_json:
        _print(files, with_content=output is None)
        return
    about = served.about
    print_json(
        "render",
        {
            "cluster": cluster.name,
            "engine": {"name": about.name, "version": about.version},
            "checked_against": about.checked_against,
            "weights": known.weights,
            "notes": notes,
            "files": [file.as_json() for file in files],
        },
    )


def _known(
    cluster: Cluster,
    part: RenderPart,
    *,
    facts: Path | None,
    live: bool,
    model_config: Path | None,
    weights: str,
) -> Known:
    from lingctl.errors import UsageError
    from lingctl.flows.files.inputs import ask_nodes, known_offline
    from lingctl.flows.files.json_files import read_document
    from lingctl.flows.files.render import needs_addresses
    from lingctl.output.progress import progress
    from lingctl.remote.group import connect

    if live and facts:
        raise UsageError("--live asks the nodes, --from asks none", remedy="give one of them")
    config = read_document(model_config) if model_config else None
    asks = live or needs_addresses(cluster, part) or (part == "model-config" and config is None)
    if facts or not asks:
        return known_offline(cluster, config, weights, facts)
    with progress() as listener, connect(cluster, listener) as group:
        return ask_nodes(group, cluster, listener, config, weights)


def _print(files: list[Rendered], *, with_content: bool) -> None:
    from lingctl.output.screen.terminal import answer, answer_file, say

    for file in files:
        for remark in file.remarks:
            say(f"{file.node}: {file.name}: {remark}")
        if with_content:
            if len(files) > 1:
                answer(f"==> {file.node}: {file.path or file.name} <==")
            answer_file(file.content.decode())


def _check(path: Path, nodes: Path | None, typed: str, as_json: bool) -> None:
    from lingctl.findings import Verdict, worst
    from lingctl.flows.files.judge import check_file
    from lingctl.inventory.typed_engine import engine_typed, with_typed_engine
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings, summary
    from lingctl.output.screen.terminal import answer

    cluster = optional_cluster(nodes)
    if cluster is not None:
        cluster = with_typed_engine(cluster, typed)
    chosen = cluster.chosen_engine if cluster else engine_typed(typed) if typed else None
    kind, judgements = check_file(path, chosen, cluster)
    if as_json:
        print_json(
            "render-check",
            {"file": str(path), "kind": kind, "checks": [one.as_json() for one in judgements]},
        )
    else:
        for one in judgements:
            verdict = "accepts" if one.accepted else "refuses"
            answer(f"{one.judge} {verdict} this {kind}: {summary(one.findings)}")
            print_findings(one.findings)
    if any(worst(one.findings) >= Verdict.WARNING for one in judgements):
        raise typer.Exit(3)
