"""``lingctl collect``: the evidence of all nodes in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, NodeOption, NodesOption, chosen_nodes, hosts_file, required_cluster


def collect(
    nodes: NodesOption = None,
    node: NodeOption = None,
    to: Annotated[
        Path | None, typer.Option(help="File to write; default: named after cluster and time, here.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Also ask what check-network asks.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Pack logs, rendered files, journal and the cards' state of all nodes into one file. Changes nothing.

    Secrets are taken out. Exit status 3 when a node could not be asked, 4 when none could.
    """
    from lingctl.cli.common import DEFAULT_HOSTS
    from lingctl.flows.look.evidence.collect import collect as pack
    from lingctl.flows.look.evidence.collect import default_name
    from lingctl.output.documents import print_json
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer, say
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    target = to or Path(default_name(cluster))
    only = chosen_nodes(cluster, node)
    with progress() as listener, connect(cluster, listener, only=only) as group:
        bundle = pack(group, cluster, hosts_file(nodes) or DEFAULT_HOSTS, target, listener, check=check)
    not_asked = [name for name in cluster.node_names if only and name not in only]
    if bundle.cause:
        say(f"the first cause of all: {bundle.cause}")
    if not_asked:
        say(f"not asked, so the first cause of all may be there: {', '.join(not_asked)}")
    for name, found in bundle.explained.items():
        for line in found:
            say(f"{name}: {line}")
    for name, why in bundle.missing.items():
        say(f"{name}: {why}")
    if as_json:
        content = {
            "cluster": cluster.name,
            "path": str(bundle.path),
            "missing": dict(bundle.missing),
            "not_asked": not_asked,
            "cause": bundle.cause,
            "explained": {name: list(found) for name, found in bundle.explained.items()},
        }
        print_json("collect", content)
    else:
        answer(str(bundle.path))
    if bundle.missing:
        raise typer.Exit(4 if not bundle.explained else 3)
