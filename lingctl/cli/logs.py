"""``lingctl logs``: the daemons' consoles, each line with its node in front."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import NodesOption, required_cluster


def logs(
    nodes: NodesOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end of each.")] = 100,
    node: Annotated[str | None, typer.Option(help="Only this node.")] = None,
) -> None:
    """Print what MindIE prints on every node."""
    from lingctl.errors import UsageError
    from lingctl.flows.logs import follow_logs, show_logs
    from lingctl.output.terminal import answer
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    if node is not None:
        if node not in cluster.node_names:
            raise UsageError(f"no node is named {node!r}", remedy=f"nodes: {', '.join(cluster.node_names)}")
        cluster = cluster.model_copy(update={"nodes": (cluster.node(node),)})
    width = max(len(name) for name in cluster.node_names)
    with connect(cluster) as group:
        show = follow_logs if follow else show_logs
        show(group, cluster, lines, lambda name, line: answer(f"{name:{width}} | {line}"))
