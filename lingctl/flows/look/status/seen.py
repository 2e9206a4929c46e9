"""What one look at a node sees, as far as status tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lingctl.ascend import host
from lingctl.ascend.cards.card_rows import CardRows
from lingctl.ascend.unread import Unread
from lingctl.engines import engine_of
from lingctl.errors import NodeError
from lingctl.flows.look.cards import ROWS_ASKED, rows_in
from lingctl.flows.look.daemon import DaemonSight, look_closer, sight_in, watching
from lingctl.flows.look.node_states import Look, node_questions
from lingctl.flows.look.runtime import elsewhere_in
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.runtime import Runtime
from lingctl.release.daemon import processes_command
from lingctl.release.site import Site
from lingctl.release.state import NodeState, read_state
from lingctl.remote.connection import Connection
from lingctl.remote.probe import Question, probed
from lingctl.remote.runtime import elsewhere_command
from lingctl.remote.wire.numbers import whole_number


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A node that could be asked; None is what is not known of it."""

    state: NodeState
    sight: DaemonSight | None
    processes: int | None
    ports: tuple[int, ...] | None
    cards: CardRows | None
    elsewhere: Mapping[Runtime, bool]  # others: the container runs there, or they do not tell (false)


def look_at_node(connection: Connection, look: Look, cluster: Cluster) -> SeenNode:
    """One probe, and a closer look at a daemon that ended.

    Raises:
        NodeError: the node did not answer, or not as a node does.
    """
    site = look.site
    questions = [
        *ROWS_ASKED,
        *(replace(question, beside=True) for question in _of_the_host(connection.node, look)),
    ]
    answers = probed(connection, questions, "look at the node")
    state = read_state(connection.node, answers, look.paths)
    listeners = host.read_listeners(answers.get("listeners"))
    rows, counted = rows_in(answers), answers.get("processes")
    sight = _sight(connection, cluster, site, answers["daemon"].stdout)
    # Where the container is gone, its processes are; one that runs may hold what a dead daemon left.
    gone = sight is not None and not sight.alive and not state.container_runs
    return SeenNode(
        state,
        sight,
        0 if gone else whole_number(counted.stdout.strip() if counted else ""),
        None if isinstance(listeners, Unread) else _ports(listeners, cluster, connection.node),
        None if isinstance(rows, Unread) else rows,
        elsewhere_in(site.runtime, answers.get("elsewhere")),
    )


def _of_the_host(node: str, look: Look) -> Iterator[Question]:
    """What needs no tool of the cards."""
    site = look.site
    yield from watching(node_questions(look), site, node)
    yield Question("processes", processes_command(site), 20)
    yield Question("listeners", host.LISTENERS, 20)
    yield Question("elsewhere", elsewhere_command(site.runtime, site.container), 20)


def _sight(connection: Connection, cluster: Cluster, site: Site, said: str) -> DaemonSight | None:
    """What is seen of the daemon, from close by where nobody stopped it; None where its container's runtime
    does not tell."""
    try:
        sight = sight_in(said, site, connection.node)
    except NodeError as error:
        if error.code != "daemon-unknown":
            raise
        return None
    ended = sight.started and not sight.alive
    return look_closer(connection, site, engine_of(cluster), sight) if ended else sight


def _ports(listeners: tuple[host.ListeningSocket, ...], cluster: Cluster, node: str) -> tuple[int, ...]:
    """The service's ports that are open on the node's own addresses."""
    wanted = [*engine_of(cluster).http.ports(cluster.serving).values()]
    if cluster.multi_node:
        wanted.append(cluster.serving.inter_node_port)
    own = cluster.node(node).service_address
    # MindIE may keep the management port to the node's own loopback.
    loopback = () if own.startswith("127.") else ("127.0.0.1", "127.0.0.2", "::1")
    found = {one.port for one in listeners if one.covers(own) or one.address in loopback}
    return tuple(port for port in dict.fromkeys(wanted) if port in found)
