"""Which engine a cluster's daemons were started with: after a rollback another than hosts.yaml may name."""

from __future__ import annotations

from lingctl.assets import shell
from lingctl.errors import LingctlError
from lingctl.inventory.cluster import Cluster
from lingctl.release.record import engine_in, read_head
from lingctl.remote.command import script
from lingctl.remote.group import Group

_STARTED_HEAD = shell("ask/started_head")


def cluster_that_runs(group: Group, cluster: Cluster) -> Cluster:
    """The cluster with the engine that its first node's daemon runs with, or was stopped with.

    It is as hosts.yaml has it where nothing was started, and where that is not recorded or cannot be read:
    what follows then says so itself.
    """
    layout = cluster.layout
    # With --node the first one may be left out; the others have its records too.
    asked = [name for name in cluster.node_names if name not in group.left_out]
    first = asked[0] if asked else cluster.primary.name
    ask = script(
        _STARTED_HEAD, layout.started, layout.last_started, layout.releases, title="ask which engine runs"
    )
    try:
        said = group[first].run(ask, timeout=cluster.timeouts.command).stdout.strip()
        return cluster.served_by(engine_in(read_head(first, said))) if said else cluster
    except (LingctlError, ValueError, KeyError):
        return cluster
