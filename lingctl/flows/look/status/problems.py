"""What is wrong with a node or differs there, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lingctl.ascend.cards.card_rows import CardRows
from lingctl.engine.logs import LogReader
from lingctl.engines import engine_of
from lingctl.errors import LingctlError
from lingctl.flows.look.daemon import DaemonSight, how_it_ended
from lingctl.flows.look.status.seen import SeenNode
from lingctl.inventory.cluster import Cluster
from lingctl.release.state import NodeState

HALF_DONE = "half-done, or under way"


def why_lost(seen: SeenNode | LingctlError) -> str:
    """Why a node's daemon does not count as alive; empty if it does."""
    if isinstance(seen, LingctlError):
        return "it could not be asked"
    if seen.sight is None:
        return "its container runtime does not tell whether its daemon runs"
    return "" if seen.sight.alive else "its daemon is dead"


def problems_of_lost(node: str, first: str, lost: Mapping[str, str]) -> Iterator[str]:
    """MindIE 3.0.0 and vLLM 0.32.0 go on calling themselves well when a node is gone, and end at the next
    request; the others never end when the first node is gone (seen)."""
    for other, why in lost.items():
        if node == first:
            yield f"do not rely on it: {other} is lost, {why}"
        elif other == first:
            yield f"it waits for {first} and will not end by itself: {first} is lost, {why}"


def problems_of(
    cluster: Cluster, node: str, seen: SeenNode, names: Mapping[str, str], overlay: str
) -> Iterator[str]:
    """What is wrong with a node that was looked at.

    Args:
        names: what each node's release is called.
        overlay: the word for the overlay, as in ``NodeStatus``.
    """
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
    yield from card_problems(seen.cards, cluster.node(node).devices)
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


def card_problems(rows: CardRows | None, used: tuple[int, ...]) -> Iterator[str]:
    """What is wrong with the cards of these physical ids; nothing where they could not be seen."""
    if rows is None:
        return
    for card in used:
        chip = rows.chips.get(card)
        if chip is None:
            yield f"card {card}: {rows.why(card)}"
        elif chip.health != "OK":
            yield f"card {card}: {chip.health}"
        elif chip.hbm_used_mb is None:
            yield f"card {card}: its memory is unknown"
