"""``lingctl status``: what runs where."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from lingctl.cli.common import JsonOption, NodesOption, required_cluster

# What a narrow terminal can do without, least worth first.
_SPARE = ("overlay", "processes", "npu-memory", "ports", "container", "release")


def status(nodes: NodesOption = None, as_json: JsonOption = False) -> None:
    """Show daemon, processes, ports, release, overlay, card memory and service of every node.

    Exit status 3 when one is not healthy or differs from the others, 4 when none could be reached.
    """
    from lingctl.flows.look.status import cluster_status
    from lingctl.flows.look.status_remedy import what_to_type
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table
    from lingctl.output.terminal import say
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        rows = cluster_status(group, cluster)
    if as_json:
        print_json("status", {"cluster": cluster.name, "nodes": [row.as_json() for row in rows]})
    else:
        titles = "node container daemon processes ports release overlay npu-memory service problem"
        print_table(
            titles.split(),
            [
                (
                    row.node,
                    row.container if row.reached else "unreachable",
                    row.daemon,
                    _or_unknown(row.processes, row.reached),
                    _or_unknown(row.ports and " ".join(map(str, row.ports)), row.reached),
                    row.release,
                    row.overlay,
                    _memory(row.memory, row.reached),
                    row.service,
                    "; ".join(row.problems),
                )
                for row in rows
            ],
            spare=_SPARE,
        )
        if todo := what_to_type(rows):
            say(f"fix: {todo}")
    if not any(row.reached for row in rows):
        raise typer.Exit(4)
    if not all(row.healthy for row in rows):
        raise typer.Exit(3)


def _or_unknown(value: object, reached: bool) -> str:
    if not reached:
        return ""
    return "unknown" if value is None else str(value or "-")


def _memory(memory: Mapping[int, int] | None, reached: bool) -> str:
    if not memory:
        return "unknown" if reached else ""
    least, most = min(memory.values()), max(memory.values())
    return f"{most / 1000:.1f} GB" if most - least < 1000 else f"{least / 1000:.1f} to {most / 1000:.1f} GB"
