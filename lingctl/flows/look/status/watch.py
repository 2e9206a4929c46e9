"""Looking at a cluster again and again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from lingctl.flows.look.status.cluster_status import NodeStatus, cluster_status
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import connect


def looks(cluster: Cluster, only: Collection[str], seconds: float) -> Iterator[list[NodeStatus]]:
    """The status of a cluster, for ever.

    Connections are kept, and made anew once a node could not be asked: it may be back.

    Args:
        only: nodes to look at; none for all.
        seconds: pause between the end of one look and the beginning of the next.
    """
    while True:
        with connect(cluster, only=only) as group:
            reached = True
            while reached:
                rows = cluster_status(group, cluster)
                yield rows
                time.sleep(seconds)
                reached = all(row.reached for row in rows)
