"""status: what runs on every node, and whether it is what was deployed."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lingctl.errors import LingctlError
from lingctl.flows.gather import node_state
from lingctl.flows.smoke_test import forward_to
from lingctl.flows.watch_start import DaemonSight, look_at_daemon
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import profile_for
from lingctl.release.state import NodeState
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.serving.endpoint import endpoint_of
from lingctl.serving.reach import client_for
from lingctl.serving.readiness import judge_health
from lingctl.serving.trouble import Trouble


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One row of ``lingctl status``.

    Attributes:
        reached: whether the node could be asked.
        container: docker's word for its state, or ``absent``.
        daemon: ``running``, ``loading``, ``dead`` or ``stopped``.
        release: digest of the release that the daemon was started with.
        service: what the HTTP service says; only the primary has one.
        problem: why the node could not be asked.
    """

    node: str
    reached: bool
    container: str = ""
    daemon: str = ""
    release: str = ""
    service: str = ""
    problem: str = ""

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with a running service here."""
        return self.daemon == "running" and self.service in ("ready", "-")

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {**asdict(self), "healthy": self.healthy}


def cluster_status(group: Group, cluster: Cluster) -> list[NodeStatus]:
    """The status of every node, in the order of hosts.yaml; unreachable ones say so."""
    seen = group.map(lambda connection: _node_status(group, connection, cluster))
    rows: list[NodeStatus] = []
    for node in cluster.nodes:
        outcome = seen[node.name]
        if isinstance(outcome, LingctlError):
            rows.append(NodeStatus(node.name, False, problem=outcome.what))
        else:
            rows.append(outcome)
    return rows


def _node_status(group: Group, connection: Connection, cluster: Cluster) -> NodeStatus:
    state = node_state(connection, cluster, profile_for(cluster.mindie))
    sight = look_at_daemon(connection, cluster)
    primary = connection.node == cluster.primary.name
    return NodeStatus(
        connection.node,
        True,
        container=state.container.status if state.container else "absent",
        daemon=_daemon_word(state, sight),
        release=state.started,
        service=_service_word(group, cluster, sight) if primary else "-",
        problem=state.docker_problem,
    )


def _daemon_word(state: NodeState, sight: DaemonSight) -> str:
    if sight.alive:
        return "running" if sight.succeeded else "loading"
    return "dead" if state.container and state.container.status == "running" and state.started else "stopped"


def _service_word(group: Group, cluster: Cluster, sight: DaemonSight) -> str:
    if not sight.alive:
        return "down"
    with client_for(endpoint_of(cluster), forward_to(group, cluster)) as client:
        health = client.health()
    if isinstance(health, Trouble):
        return "loading" if health.no_service and not sight.succeeded else "unreachable"
    verdict = judge_health(health)
    return verdict.state if verdict else "ready"
