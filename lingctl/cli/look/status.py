"""``lingctl status``: what runs where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import JsonOption, NodeOption, NodesOption, chosen_nodes, load_ahead, required_cluster
from lingctl.errors import UsageError

if TYPE_CHECKING:
    from lingctl.inventory.cluster import Cluster

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
    if seconds is not None and not watch:
        raise UsageError(
            f"{seconds:g} is the pause of --watch",
            remedy=f"lingctl status --watch {seconds:g}",
            code="no-watch",
        )
    cluster = required_cluster(nodes)
    only = chosen_nodes(cluster, node)
    left_out = [name for name in cluster.node_names if only and name not in only]
    if watch:
        _watch(cluster, only, left_out, _USUAL_SECONDS if seconds is None else seconds, as_json=as_json)
        return
    from lingctl.remote.group import connect

    with connect(cluster, only=only, wait=False) as group:
        # What asks is loaded while the nodes are logged in to, what prints while they are asked.
        from lingctl.flows.look.status.cluster_status import cluster_status, unjudged

        load_ahead("lingctl.output.verbs.status")
        rows = cluster_status(group, cluster)
    from lingctl.output.verbs.status import print_status

    print_status(cluster.name, rows, unjudged(cluster, left_out), as_json=as_json)
    if not any(row.reached for row in rows):
        raise typer.Exit(4)
    if not all(row.healthy for row in rows):
        raise typer.Exit(3)


def _watch(
    cluster: Cluster, only: tuple[str, ...], left_out: list[str], pause: float, *, as_json: bool
) -> None:
    from lingctl.flows.look.status.cluster_status import unjudged
    from lingctl.flows.look.status.watch import looks
    from lingctl.output.screen.streams import ending_with_its_reader
    from lingctl.output.verbs.status import watch_status

    missing = unjudged(cluster, left_out)
    with ending_with_its_reader():
        watch_status(cluster.name, looks(cluster, only, pause), missing, pause, as_json=as_json)
