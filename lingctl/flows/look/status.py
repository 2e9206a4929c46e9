"""status: what runs on every node, and whether it is what was deployed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass

from lingctl.ascend import devices, host
from lingctl.ascend.cards import npu_map, npu_smi
from lingctl.ascend.cards.card_rows import CardRows, card_rows
from lingctl.ascend.unread import Unread
from lingctl.engine.logs import LogReader
from lingctl.engines import engine_of
from lingctl.errors import LingctlError, NodeError, NotAskedError
from lingctl.flows.look.daemon import DaemonSight, how_it_ended, look_closer, sight_in, watching
from lingctl.flows.look.node_states import Look, look_of, node_questions
from lingctl.flows.look.served import cluster_that_runs
from lingctl.flows.look.service import ServiceSight, look_at_service
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.runtime import Runtime
from lingctl.release.daemon import processes_command
from lingctl.release.layout import layout_of
from lingctl.release.record import Recorded, recorded
from lingctl.release.site import Site
from lingctl.release.state import NodeState, read_state
from lingctl.release.wanted import overlay_files
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.numbers import whole_number
from lingctl.remote.probe import Question, probe_script, probe_timeout, read_answers
from lingctl.remote.runtime import elsewhere_command, read_elsewhere

HALF_DONE = "half-done, or under way"


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


@dataclass(frozen=True, slots=True)
class _Seen:
    state: NodeState
    sight: DaemonSight | None
    processes: int | None
    ports: tuple[int, ...] | None
    cards: CardRows | None
    elsewhere: Mapping[Runtime, bool]


def cluster_status(group: Group, cluster: Cluster) -> list[NodeStatus]:
    """The status of every node that is asked, in the order of hosts.yaml; unreachable ones say so."""
    cluster = cluster_that_runs(group, cluster)
    look = look_of(cluster)
    seen = group.map(lambda connection: _look(connection, look, cluster))
    looked = {name: one for name, one in seen.items() if isinstance(one, _Seen)}
    names = _release_names(looked)
    asked = [node for node in cluster.nodes if not isinstance(seen[node.name], NotAskedError)]
    lost = {node.name: why for node in asked if (why := _why_lost(seen[node.name]))}
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


def _look(connection: Connection, look: Look, cluster: Cluster) -> _Seen:
    site = look.site
    questions = [
        *watching(node_questions(look), site, connection.node),
        Question("processes", processes_command(site), 20),
        Question("listeners", host.listeners_command(), 20),
        Question("cards", npu_smi.table_command(), 60),
        Question("chips", npu_map.map_command(), 30),
        Question("dev", devices.dev_command(), 10),
        Question("elsewhere", elsewhere_command(site.runtime, site.container), 20),
    ]
    probe = probe_script(questions, "look at the node")
    answers = read_answers(connection.run(probe, timeout=probe_timeout(questions)).stdout)
    state = read_state(connection.node, answers, look.paths)
    listeners = host.read_listeners(answers.get("listeners"))
    table = npu_smi.read_table(answers.get("cards"))
    chips, dev = npu_map.read_map(answers.get("chips")), devices.read_dev(answers.get("dev"))
    counted, other = answers.get("processes"), answers.get("elsewhere")
    sight = _sight(connection, cluster, site, answers["daemon"].stdout)
    # Where the container is gone, its processes are; one that runs may hold what a dead daemon left.
    gone = sight is not None and not sight.alive and not state.container_runs
    return _Seen(
        state,
        sight,
        0 if gone else whole_number(counted.stdout.strip() if counted else ""),
        None if isinstance(listeners, Unread) else _ports(listeners, cluster, connection.node),
        None if isinstance(table, Unread) else card_rows(table, chips, dev),
        read_elsewhere(other.stdout if other and other.exit_status == 0 else None),
    )


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


def _release_names(looked: Mapping[str, _Seen]) -> dict[str, str]:
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
    group: Group, cluster: Cluster, node: str, seen: _Seen, names: Mapping[str, str], lost: Mapping[str, str]
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
            *_problems(cluster, node, seen, names, overlay),
            *(_lost_problems(node, cluster.primary.name, lost) if seen.sight and seen.sight.alive else ()),
            *((service.problem,) if service.problem else ()),
        ),
        card_problems=_of_cards(cluster, node, seen),
    )


def _of_cards(cluster: Cluster, node: str, seen: _Seen) -> tuple[str, ...]:
    return () if seen.cards is None else tuple(_card_problems(seen.cards, cluster.node(node).devices))


def _why_lost(seen: _Seen | LingctlError) -> str:
    """Why a node's daemon does not count as alive; empty if it does."""
    if isinstance(seen, LingctlError):
        return "it could not be asked"
    if seen.sight is None:
        return "its container runtime does not tell whether its daemon runs"
    return "" if seen.sight.alive else "its daemon is dead"


def _lost_problems(node: str, first: str, lost: Mapping[str, str]) -> Iterator[str]:
    """MindIE 3.0.0 and vLLM 0.32.0 go on calling themselves well when a node is gone, and end at the next
    request; the others never end when the first node is gone (seen)."""
    for other, why in lost.items():
        if node == first:
            yield f"do not rely on it: {other} is lost, {why}"
        elif other == first:
            yield f"it waits for {first} and will not end by itself: {first} is lost, {why}"


def _problems(
    cluster: Cluster, node: str, seen: _Seen, names: Mapping[str, str], overlay: str
) -> Iterator[str]:
    if seen.state.runtime_problem:
        yield f"{cluster.runtime.program}: {seen.state.runtime_problem}"
    for other, runs in seen.elsewhere.items():
        if runs:
            yield f"the container runs under {other.program}, not under {cluster.runtime.program}"
        else:
            yield f"{other.program} does not tell whether the container runs under it"
    first = cluster.primary.name
    # Where nothing was started there is no release; that it was not is told below.
    if node != first and names.get(first) and names[node] and names[node] != names[first]:
        yield f"another release than {first}"
    sight = seen.sight
    yield from _not_running(seen.state, sight, engine_of(cluster).logs, seen.processes)
    if overlay == "differs":
        yield "the overlay is not as shipped"
    if overlay == "missing" and seen.state.started:
        yield "the overlay is missing"
    if sight is not None and sight.alive and sight.succeeded and node == first and seen.ports is not None:
        needed = (cluster.serving.port, engine_of(cluster).http.health_port(cluster.serving))
        closed = [str(port) for port in dict.fromkeys(needed) if port not in seen.ports]
        if closed:
            yield f"port {' and '.join(closed)} closed"
    yield from _of_cards(cluster, node, seen)
    if seen.state.unfinished is not None:
        yield f"{HALF_DONE} (lingctl lock status): {seen.state.unfinished.description}"


def _not_running(
    state: NodeState, sight: DaemonSight | None, logs: LogReader, left: int | None
) -> Iterator[str]:
    """Why no daemon runs on a node, and how many processes a dead one left."""
    if state.runtime_problem:
        return
    if state.container is None:
        yield "there is no container: nothing was deployed, or it was removed"
    elif state.container.status != "running":
        yield f"the container does not run: it is {state.container.status}"
    elif sight is None:
        yield "it is not known whether the daemon runs: the container runtime does not tell"
    elif not sight.alive:
        yield how_it_ended(sight, logs) if state.started else "the daemon was stopped, or never started"
        if left:
            yield f"processes of it are left, which hold cards and may serve on: {left}"


def _card_problems(rows: CardRows, used: tuple[int, ...]) -> Iterator[str]:
    for card in used:
        chip = rows.chips.get(card)
        if chip is None:
            yield f"card {card}: {rows.why(card)}"
        elif chip.health != "OK":
            yield f"card {card}: {chip.health}"
        elif chip.hbm_used_mb is None:
            yield f"card {card}: its memory is unknown"


def _overlay_word(cluster: Cluster, state: NodeState) -> str:
    folder = layout_of(cluster).overlay
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
