"""``lingctl logs``: the daemons' consoles, each line with its node in front."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from lingctl.cli.common import NodeOption, NodesOption, chosen_nodes, required_cluster


def logs(
    nodes: NodesOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end of each.")] = 100,
    node: NodeOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only so far back: 90s, 10m, 2h, 1d.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=0, help="Only this rank, on the node that holds it.")
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN", help="Only lines that hold this (as grep -E); searched on the nodes."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON document.")] = False,
) -> None:
    """Print what the engine prints on every node.

    With --grep, --lines counts the lines that hold the pattern; with --follow, too, those that are searched
    before new ones come. Only the last 48 MB of a console are searched.
    """
    from lingctl.errors import UsageError
    from lingctl.flows.look import logs as flow
    from lingctl.output.documents import print_json_line
    from lingctl.output.screen.streams import ending_with_its_reader
    from lingctl.output.screen.terminal import answer
    from lingctl.remote.group import connect

    pattern = "" if grep is None else flow.need_pattern(grep)
    cluster = required_cluster(nodes)
    seconds = flow.duration_seconds(since) if since is not None else None
    if since is not None and seconds is None:
        raise UsageError(f"--since {since!r} is not a time", remedy="write 90s, 10m, 2h or 1d")
    chosen = chosen_nodes(cluster, node)
    if rank is not None:
        if rank >= cluster.world_size:
            raise UsageError(f"there is no rank {rank}", remedy=f"ranks: 0 to {cluster.world_size - 1}")
        holder = flow.node_of_rank(cluster, rank)
        if chosen and holder not in chosen:
            raise UsageError(f"rank {rank} is on {holder}", where="--node", remedy="leave --node out")
        chosen = (holder,)
    if chosen:
        cluster = cluster.model_copy(update={"nodes": tuple(cluster.node(name) for name in chosen)})
    width = max(len(name) for name in cluster.node_names)

    def told(line: flow.ShownLine) -> None:
        if as_json:
            print_json_line("log-line", line.as_json())
        else:
            answer(f"{line.node:{width}} | {line.text}")

    wanted = flow.WantedLogs(lines, seconds, rank, pattern, stamped=as_json)
    show = flow.follow_logs if follow else flow.show_logs
    with connect(cluster) as group, ending_with_its_reader() if follow else nullcontext():
        show(group, cluster, wanted, told)
