"""smoke-test: proof that the service answers, and that every node has its part in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from lingctl.errors import LingctlError
from lingctl.events import Listener
from lingctl.flows.watch_start import DaemonSight, look_at_daemon
from lingctl.inventory.cluster import Cluster
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.serving.endpoint import Endpoint, endpoint_of
from lingctl.serving.nodes import NodeSight, node_findings
from lingctl.serving.reach import Forward, client_for
from lingctl.serving.smoke import SmokeOptions, SmokeReport, smoke_test


@runtime_checkable
class _CanForward(Protocol):
    @property
    def forward(self) -> Forward:
        """Opens a tunnel."""


def smoke_test_endpoint(endpoint: Endpoint, options: SmokeOptions, listener: Listener) -> SmokeReport:
    """Test any service that can be reached from here."""
    with client_for(endpoint) as client:
        return smoke_test(client, options, listener=listener)


def smoke_test_cluster(
    group: Group, cluster: Cluster, options: SmokeOptions, listener: Listener, *, ca: Path | None = None
) -> SmokeReport:
    """Test a cluster's service, over SSH to the primary where its ports are closed to this machine.

    The kind of model is the catalogue's unless ``options`` say otherwise.
    """
    if options.kind == "auto":
        options = options.of_kind(cluster.catalogue_model.kind)
    with client_for(endpoint_of(cluster, ca=ca), forward_to(group, cluster)) as client:
        report = smoke_test(client, options, listener=listener)
    return report.with_findings(node_findings(look_at_nodes(group, cluster)))


def forward_to(group: Group, cluster: Cluster) -> Forward | None:
    """The way to open tunnels to the primary, where its connection has one."""
    connection = group.connections.get(cluster.primary.name)
    return connection.forward if isinstance(connection, _CanForward) else None


def look_at_nodes(group: Group, cluster: Cluster) -> list[NodeSight]:
    """Every node's daemon and cards, nodes side by side; unreachable ones say so."""
    seen: Mapping[str, DaemonSight | LingctlError] = group.map(lambda node: _look(node, cluster))
    return [_sight(name, seen[name]) for name in cluster.node_names]


def _look(connection: Connection, cluster: Cluster) -> DaemonSight:
    return look_at_daemon(connection, cluster)


def _sight(node: str, seen: DaemonSight | LingctlError) -> NodeSight:
    if isinstance(seen, LingctlError):
        return NodeSight(node, None, seen.what)
    last = seen.console.strip().splitlines()[-1:]
    return NodeSight(
        node, seen.alive, "" if seen.alive else f"exit status {seen.exit_status}; {''.join(last)}"
    )
