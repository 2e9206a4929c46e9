"""``lingctl releases``: what was deployed before, and can be come back to."""

from __future__ import annotations

from lingctl.cli.common import JsonOption, NodesOption, required_cluster


def releases(nodes: NodesOption = None, as_json: JsonOption = False) -> None:
    """List the recorded releases, newest first: the one that runs, and those that were proved to answer."""
    from dataclasses import asdict

    from lingctl.flows.change.releases import list_releases
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        rows = list_releases(group, cluster)
    if as_json:
        print_json("releases", {"cluster": cluster.name, "releases": [asdict(row) for row in rows]})
        return
    print_table(
        ("release", "time", "by", "model", "engine", "state", "missing on"),
        [
            (
                row.id,
                row.time,
                row.who,
                row.model,
                row.engine,
                ", ".join(w for w, on in (("runs", row.current), ("proved", row.proved)) if on),
                ", ".join(row.missing),
            )
            for row in rows
        ],
        texts=("state", "missing on"),
        spare=("engine", "model", "by"),
    )
