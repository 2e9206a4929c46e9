"""``lingctl audit``: what was changed, when, by whom."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, NodesOption, required_cluster


def audit(
    nodes: NodesOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Entries from the end of each.")] = 40,
    as_json: JsonOption = False,
) -> None:
    """Show every change that lingctl made on the nodes, and whether it was finished."""
    from lingctl.flows.look.audit import audit_entries
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table
    from lingctl.release.journal import UNREADABLE
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        entries = audit_entries(group, cluster, lines)
    if as_json:
        print_json("audit", {"cluster": cluster.name, "entries": entries})
        return
    rows = []
    for entry in entries:
        usual = {"begin": f"begins: {entry.get('command')}", "end": "ends", UNREADABLE: "(unreadable)"}
        what = usual.get(entry["event"], entry.get("step", ""))
        rows.append(
            (
                entry.get("time", ""),
                entry["node"],
                entry["run"],
                entry.get("who", ""),
                what,
                entry.get("result", ""),
                entry.get("what", ""),
            )
        )
    print_table(
        ("time", "node", "run", "who", "change", "result", "error"),
        rows,
        texts=("change", "error"),
        spare=("run", "who"),
    )
