"""``lingctl status``: what runs where."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, NodeOption, NodesOption, chosen_nodes, required_cluster
from lingctl.errors import UsageError

_USUAL_SECONDS = 2.0


def status(
    seconds: Annotated[
        float | None,
        typer.Argument(min=0.1, help="With --watch: the pause between two looks.", show_default="2"),
    ] = None,
    nodes: NodesOption = None,
    node: NodeOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show daemon, processes, ports, release, overlay, card memory and service of every node.

    Exit status 3 when one is not healthy or differs from the others, 4 when none could be reached.
    With --watch it draws in place on a terminal, and prints one look after the other in a pipe; with --json
    one document a line.
    """
    from lingctl.flows.look.status.cluster_status import cluster_status, unjudged
    from lingctl.flows.look.status.watch import looks
    from lingctl.output.screen.streams import ending_with_its_reader
    from lingctl.output.verbs.status import print_status, watch_status
    from lingctl.remote.group import connect

    if seconds is not None and not watch:
        raise UsageError(
            f"{seconds:g} is the pause of --watch",
            remedy=f"lingctl status --watch {seconds:g}",
            code="no-watch",
        )
    cluster = required_cluster(nodes)
    only = chosen_nodes(cluster, node)
    left_out = [name for name in cluster.node_names if only and name not in only]
    missing = unjudged(cluster, left_out)
    if watch:
        pause = _USUAL_SECONDS if seconds is None else seconds
        with ending_with_its_reader():
            watch_status(cluster.name, looks(cluster, only, pause), missing, pause, as_json=as_json)
        return
    with connect(cluster, only=only) as group:
        rows = cluster_status(group, cluster)
    print_status(cluster.name, rows, missing, as_json=as_json)
    if not any(row.reached for row in rows):
        raise typer.Exit(4)
    if not all(row.healthy for row in rows):
        raise typer.Exit(3)
