"""The values of hosts.yaml with what fills them in, as ``render --show`` and ``config show`` print them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lingctl.inventory.cluster import Cluster


def print_values(cluster: Cluster, overrides: dict[str, str], as_json: bool) -> None:
    """Print every value that a release rests on, and where it came from.

    Args:
        overrides: what was set outside hosts.yaml: dotted name to its source.
    """
    from dataclasses import asdict

    from lingctl.engines import engine_of
    from lingctl.flows.files.logins import shown_logins
    from lingctl.inventory.load import ENVIRONMENT
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table

    from_environment = {
        ".".join(place): variable for variable, place in ENVIRONMENT.items() if os.environ.get(variable)
    }
    values = engine_of(cluster).shown(cluster, {**from_environment, **overrides}) + shown_logins(cluster)
    if as_json:
        print_json("render-values", {"cluster": cluster.name, "values": [asdict(value) for value in values]})
        return
    print_table(
        ("node", "name", "value", "from"),
        [(value.node, value.name, value.value, value.source) for value in values],
        texts=("value", "from"),
    )
