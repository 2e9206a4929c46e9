"""After the daemons are started: wait until all have loaded, or tell which one ended and why."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lingctl.errors import EngineError, LingctlError
from lingctl.events import Event, Listener
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.failures import explain
from lingctl.release.layout import layout_of
from lingctl.remote.command import script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

_LOOK = """
docker exec "$1" sh -c '
pid=$(cat "$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo alive' sh "$2" || echo dead
cat "$3" 2>/dev/null || echo -
tail -c 20000 "$4" 2>/dev/null || true
"""
_POLL_SECONDS = 1.0
_TASK = "load the model"
_SUCCESS = "Daemon start success!"


@dataclass(frozen=True, slots=True)
class DaemonSight:
    """One look at a node's daemon.

    Attributes:
        alive: whether its process is there.
        exit_status: how it ended, as text, or ``-``.
        console: the end of what it printed.
    """

    alive: bool
    exit_status: str
    console: str

    @property
    def succeeded(self) -> bool:
        """Whether it printed its success line: necessary, and not yet an answer to a request."""
        return _SUCCESS in self.console


def look_at_daemon(connection: Connection, cluster: Cluster) -> DaemonSight:
    """Look once."""
    layout = layout_of(cluster)
    look = script(_LOOK, cluster.container_name, layout.pid, layout.exit_status, layout.console)
    said = connection.run(look.titled("look at the daemon"), timeout=30).stdout.split("\n", 2)
    alive, status, console = (*said, "", "", "")[:3]
    return DaemonSight(alive.strip() == "alive", status.strip(), console)


def wait_until_loaded(group: Group, cluster: Cluster, listener: Listener) -> None:
    """Wait until every daemon says that it has started. That is not yet an answer to a request.

    Raises:
        EngineError: a daemon ended, or the time limit passed; says which node and why.
    """
    deadline = time.monotonic() + cluster.timeouts.start
    for node in cluster.nodes:
        listener(Event(_TASK, "started", node.name))
    loaded: set[str] = set()
    while len(loaded) < len(cluster.nodes):
        sights = look_at_daemons(group, cluster)
        for name, sight in sights.items():
            if sight.succeeded and name not in loaded:
                loaded.add(name)
                listener(Event(_TASK, "done", name))
        if len(loaded) < len(cluster.nodes):
            if time.monotonic() > deadline:
                raise _too_late(cluster, sights)
            time.sleep(_POLL_SECONDS)


def look_at_daemons(group: Group, cluster: Cluster) -> dict[str, DaemonSight]:
    """Look at every node's daemon once.

    Raises:
        EngineError: one has ended; says which, and what its last words mean.
    """
    sights = group.all(lambda connection: look_at_daemon(connection, cluster))
    _stop_on_death(sights)
    return sights


def _stop_on_death(sights: dict[str, DaemonSight]) -> None:
    dead = {name: sight for name, sight in sights.items() if not sight.alive}
    if not dead:
        return
    # The node that explains itself best is named first: the others often only report its loss.
    name, sight = max(
        dead.items(), key=lambda item: (bool(explain(item[1].console)), item[1].exit_status != "-")
    )
    raise death(name, sight, [other for other in dead if other != name])


def death(node: str, sight: DaemonSight, others: list[str]) -> LingctlError:
    """The error for a daemon that is gone, with the meaning of its last words."""
    explained = explain(sight.console)
    status = "" if sight.exit_status == "-" else f" (exit status {sight.exit_status})"
    also = f"; it is gone on {', '.join(others)} too" if others else ""
    collect = f"lingctl logs --node {node}  shows all; nothing was removed"
    if not explained:
        tail = "\n".join(sight.console.strip().splitlines()[-8:])
        return EngineError(
            f"the MindIE daemon ended{status}{also}",
            where=node,
            evidence=tail,
            remedy=collect,
            code="daemon-died",
        )
    first = explained[0]
    return EngineError(
        f"the MindIE daemon ended{status}: {first.cause}{also}",
        where=node,
        evidence=first.line,
        remedy=f"{first.remedy}\n{collect}",
        code=f"mindie-{first.id}",
    )


def _too_late(cluster: Cluster, sights: dict[str, DaemonSight]) -> EngineError:
    waiting = [name for name, sight in sights.items() if not sight.succeeded]
    evidence = [f"{name}: {_last_line(sight)}" for name, sight in sights.items()]
    return EngineError(
        f"still loading after {cluster.timeouts.start} s",
        where=", ".join(waiting),
        evidence="\n".join(evidence),
        remedy="lingctl logs shows what they do; raise timeouts.start in hosts.yaml if they only need longer",
        code="start-timeout",
    )


def _last_line(sight: DaemonSight) -> str:
    lines = sight.console.strip().splitlines()
    return lines[-1] if lines else "printed nothing yet"
