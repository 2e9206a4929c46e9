"""status: what runs on every node, and whether it is what was deployed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from lingctl.ascend.cards.card_rows import CardRows
from lingctl.errors import LingctlError, NotAskedError
from lingctl.flows.look.daemon import DaemonSight
from lingctl.flows.look.node_states import look_of
from lingctl.flows.look.served import cluster_that_runs
from lingctl.flows.look.service import ServiceSight, look_at_service
from lingctl.flows.look.status.problems import card_problems, problems_of, problems_of_lost, why_lost
from lingctl.flows.look.status.seen import SeenNode, look_at_node
from lingctl.inventory.cluster import Cluster
from lingctl.release.record import Recorded, recorded
from lingctl.release.state import NodeState
from lingctl.release.wanted import overlay_files
from lingctl.remote.group import Group


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One row of ``lingctl status``."""

    node: str
    reached: bool  # whether the node could be asked
    container: str = ""  # its runtime's word for its state, or ``absent``
    daemon: str = ""  # ``running``, ``loading``, ``dead``, ``stopped`` or ``unknown``
    # how many processes the daemon has, itself included, or left when it ended; None where that is unknown
    processes: int | None = None
    # id of the release that the daemon was started with, or its digest if it is not recorded
    release: str = ""
    overlay: str = ""  # ``as shipped``, ``differs`` or ``missing``; ``-`` where the engine needs none
    # which of the service's ports are open on this node; None where that is unknown
    ports: tuple[int, ...] | None = None
    # used memory of the node's cards in MB, by physical id; None where that is unknown
    memory: Mapping[int, int] | None = None
    # what the HTTP service says; only the primary has one. ``node lost`` where it may still say that it is
    # well, but another node's daemon is dead or could not be looked at.
    service: str = ""
    problems: tuple[str, ...] = ()  # what is wrong or differs here
    card_problems: tuple[str, ...] = ()  # those of them that are about the cards alone

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with a running service here; what is unknown is not well."""
        known = None not in (self.processes, self.ports) and bool(self.memory)
        return self.daemon == "running" and self.service in ("ready", "-") and known and not self.problems

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {**asdict(self), "healthy": self.healthy}


def cluster_status(group: Group, cluster: Cluster) -> list[NodeStatus]:
    """The status of every node that is asked, in the order of hosts.yaml; unreachable ones say so."""
    cluster = cluster_that_runs(group, cluster)
    look = look_of(cluster)
    seen = group.map(lambda connection: look_at_node(connection, look, cluster))
    looked = {name: one for name, one in seen.items() if isinstance(one, SeenNode)}
    names = _release_names(looked)
    asked = [node for node in cluster.nodes if not isinstance(seen[node.name], NotAskedError)]
    lost = {node.name: why for node in asked if (why := why_lost(seen[node.name]))}
    rows: list[NodeStatus] = []
    for node in asked:
        outcome = seen[node.name]
        if isinstance(outcome, LingctlError):
            rows.append(NodeStatus(node.name, False, problems=(outcome.what,)))
        else:
            rows.append(_row(group, cluster, node.name, outcome, names, lost))
    return rows


def unjudged(cluster: Cluster, left_out: Collection[str]) -> str:
    """What is not judged because nodes were left out, in words; empty where all were asked."""
    if not left_out:
        return ""
    what = ["whether all nodes run one release", "whether one is lost"]
    if cluster.primary.name in left_out:
        what.append(f"the service of {cluster.primary.name}")
    return f"not judged, as {', '.join(left_out)} was not asked: {', '.join(what)}"


def _release_names(looked: Mapping[str, SeenNode]) -> dict[str, str]:
    """What each node's release is called: its id where one is recorded, else its digest."""
    known = recorded({name: one.state for name, one in looked.items()})
    digests = {name: one.state.started for name, one in looked.items()}
    names: dict[str, str] = {}
    for name, digest in digests.items():
        same = [one.id for one in known if digest and one.digests.get(name) == digest]
        shared = [i for i in same if all(_has(known, i, other, d) for other, d in digests.items())]
        names[name] = (shared or same or [digest])[0]
    return names


def _has(known: list[Recorded], id_: str, node: str, digest: str) -> bool:
    return any(one.id == id_ and one.digests.get(node) == digest for one in known)


def _row(
    group: Group,
    cluster: Cluster,
    node: str,
    seen: SeenNode,
    names: Mapping[str, str],
    lost: Mapping[str, str],
) -> NodeStatus:
    state, primary = seen.state, node == cluster.primary.name
    overlay = _overlay_word(cluster, state)
    daemon = _daemon_word(state, seen.sight)
    memory = _memory(seen.cards, cluster.node(node).devices)
    service = look_at_service(group, cluster, seen.sight, lost) if primary else ServiceSight("-")
    return NodeStatus(
        node,
        True,
        container=state.container.status if state.container else "absent",
        daemon=daemon,
        processes=seen.processes,
        release=names[node],
        overlay=overlay,
        ports=seen.ports,
        memory=memory,
        service=service.word,
        problems=(
            *problems_of(cluster, node, seen, names, overlay),
            *(problems_of_lost(node, cluster.primary.name, lost) if seen.sight and seen.sight.alive else ()),
            *((service.problem,) if service.problem else ()),
        ),
        card_problems=tuple(card_problems(seen.cards, cluster.node(node).devices)),
    )


def _overlay_word(cluster: Cluster, state: NodeState) -> str:
    folder = cluster.layout.overlay
    shipped = {file.path: file.content for file in overlay_files(cluster)}
    if not shipped:
        return "-"
    found = {path: file.content for path, file in state.files.items() if path in shipped}
    strangers = {name for name in state.overlay_names if f"{folder}/{name}" not in shipped} - {"__pycache__"}
    if not found:
        return "missing"
    return "as shipped" if found == shipped and not strangers else "differs"


def _memory(rows: CardRows | None, used: tuple[int, ...]) -> dict[int, int] | None:
    if rows is None:
        return None
    memory = {card: chip.hbm_used_mb for card, chip in rows.chips.items() if card in used}
    return {card: mb for card, mb in memory.items() if mb is not None}


def _daemon_word(state: NodeState, sight: DaemonSight | None) -> str:
    if sight is None:
        return "unknown"
    if sight.alive:
        return "running" if sight.succeeded else "loading"
    return "dead" if state.container and state.container.status == "running" and state.started else "stopped"
