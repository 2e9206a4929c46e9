"""``lingctl logs``: the daemons' consoles, each line with its node in front."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from lingctl.cli.common import NodesOption, required_cluster


def logs(
    nodes: NodesOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end of each.")] = 100,
    node: Annotated[str | None, typer.Option(help="Only this node.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only so far back: 90s, 10m, 2h, 1d.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=0, help="Only this rank, on the node that holds it.")
    ] = None,
) -> None:
    """Print what the engine prints on every node."""
    from lingctl.errors import UsageError
    from lingctl.flows.look.logs import WantedLogs, duration_seconds, follow_logs, node_of_rank, show_logs
    from lingctl.output.streams import ending_with_its_reader
    from lingctl.output.terminal import answer
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    seconds = duration_seconds(since) if since is not None else None
    if since is not None and seconds is None:
        raise UsageError(f"--since {since!r} is not a time", remedy="write 90s, 10m, 2h or 1d")
    if rank is not None:
        if rank >= cluster.world_size:
            raise UsageError(f"there is no rank {rank}", remedy=f"ranks: 0 to {cluster.world_size - 1}")
        node = node_of_rank(cluster, rank)
    if node is not None:
        if node not in cluster.node_names:
            raise UsageError(f"no node is named {node!r}", remedy=f"nodes: {', '.join(cluster.node_names)}")
        cluster = cluster.model_copy(update={"nodes": (cluster.node(node),)})
    width = max(len(name) for name in cluster.node_names)
    wanted = WantedLogs(lines, seconds, rank)
    show = follow_logs if follow else show_logs
    with connect(cluster) as group, ending_with_its_reader() if follow else nullcontext():
        show(group, cluster, wanted, lambda name, line: answer(f"{name:{width}} | {line}"))
