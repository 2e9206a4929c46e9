"""``lingctl status``: what runs where."""

from __future__ import annotations

import typer

from lingctl.cli.common import JsonOption, NodesOption, required_cluster


def status(nodes: NodesOption = None, as_json: JsonOption = False) -> None:
    """Show container, daemon, release and service of every node. Exit status 3 when one is not healthy."""
    from lingctl.flows.status import cluster_status
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        rows = cluster_status(group, cluster)
    if as_json:
        print_json("status", {"cluster": cluster.name, "nodes": [row.as_json() for row in rows]})
    else:
        print_table(
            ("node", "container", "daemon", "release", "service", "problem"),
            [(r.node, r.container, r.daemon, r.release, r.service, r.problem) for r in rows],
        )
    if not any(row.reached for row in rows):
        raise typer.Exit(4)
    if not all(row.healthy for row in rows):
        raise typer.Exit(3)
