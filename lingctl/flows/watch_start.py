"""After the daemons are started: wait until all have loaded, or tell which one failed first and why."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from lingctl.errors import EngineError, LingctlError
from lingctl.events import Event, Listener
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.diagnosis import Diagnosis, diagnose
from lingctl.mindie.failures import exit_meaning, explain_waiting, first_errors
from lingctl.mindie.profile import profile_for
from lingctl.release.daemon import SUCCESS, errors_command, read_watch, watch_command
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

_POLL_SECONDS = 1.0
# A failed rank takes others with it within moments; the first one is told apart better when all have spoken.
_SETTLE_SECONDS = 1.5
_TASK = "load the model"


@dataclass(frozen=True, slots=True)
class DaemonSight:
    """One look at a node's daemon.

    Attributes:
        alive: whether its process is there.
        exit_status: how it ended, as text, or empty.
        console: the end of what it printed, with its success line, if there was one, before it.
    """

    alive: bool
    exit_status: str
    console: str

    @property
    def succeeded(self) -> bool:
        """Whether it printed its success line: necessary, and not yet an answer to a request."""
        return SUCCESS in self.console


def look_at_daemon(connection: Connection, cluster: Cluster) -> DaemonSight:
    """Look once."""
    said = connection.run(watch_command(cluster), timeout=30).stdout
    state, status, console = read_watch(said)
    return DaemonSight(state.pid is not None, status, console)


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
        EngineError: one has ended; says which failed first, and what its last words mean.
        ConnectError: a node was lost.
    """
    sights = group.all(lambda connection: look_at_daemon(connection, cluster))
    if any(not sight.alive for sight in sights.values()):
        time.sleep(_SETTLE_SECONDS)
        sights = group.all(lambda connection: look_at_daemon(connection, cluster))
        raise death(cluster, sights, _error_logs(group, cluster))
    return sights


def death(cluster: Cluster, sights: dict[str, DaemonSight], logs: dict[str, str]) -> LingctlError:
    """The error for a group of which a daemon is gone.

    Args:
        cluster: whose group.
        sights: every node's daemon.
        logs: error lines of every node's other logs.
    """
    ended = [name for name, sight in sights.items() if not sight.alive]
    texts = {name: f"{sight.console}\n{logs.get(name, '')}" for name, sight in sights.items()}
    found = diagnose(texts, ended)
    if found is None:  # it was gone, and is there again: somebody else restarted it
        return EngineError(
            "a daemon ended and was started again by somebody else",
            where=", ".join(sights),
            remedy="lingctl lock status; lingctl status",
            code="daemon-restarted",
        )
    status = sights[found.node].exit_status
    return EngineError(
        f"the MindIE daemon {_ended_how(found.node in ended, status)}: {_cause(found, status)}",
        where=_where(found),
        evidence="\n".join(part for part in (found.evidence, _detail(found), *_also(found, ended)) if part),
        remedy=_remedy(found),
        code=f"mindie-{found.explanation.id}" if found.explanation else "daemon-died",
    )


def _ended_how(ended: bool, status: str) -> str:
    if not ended:
        return "is in trouble"
    return f"ended (exit status {status})" if status else "ended without a word on how"


def _cause(found: Diagnosis, status: str) -> str:
    if found.explanation is not None:
        return found.explanation.cause
    meaning = exit_meaning(status)
    return (
        f"{meaning}; its log shows no error that is known"
        if meaning
        else "its log shows no error that is known"
    )


def _where(found: Diagnosis) -> str:
    place = found.explanation.place if found.explanation else ""
    return f"{found.node}, {place}" if place else found.node


def _detail(found: Diagnosis) -> str:
    return found.explanation.detail if found.explanation else ""


def _also(found: Diagnosis, ended: Iterable[str]) -> list[str]:
    silent = [
        name for name in ended if name != found.node and not any(a.startswith(name) for a in found.also)
    ]
    return [*found.also, *(f"{name}: ended too" for name in silent)]


def _remedy(found: Diagnosis) -> str:
    own = f"{found.explanation.remedy}\n" if found.explanation else ""
    return (
        f"{own}lingctl logs --node {found.node}  shows all of its console; nothing was removed\n"
        "lingctl collect  packs the evidence of all nodes"
    )


def _error_logs(group: Group, cluster: Cluster) -> dict[str, str]:
    """What can still be read; a node or container that is lost must not hide the cause."""
    ask = errors_command(cluster, profile_for(cluster.mindie))
    said = group.map(lambda connection: connection.run(ask, timeout=60).stdout)
    return {name: answer for name, answer in said.items() if isinstance(answer, str)}


def _too_late(cluster: Cluster, sights: dict[str, DaemonSight]) -> EngineError:
    waiting = [name for name, sight in sights.items() if not sight.succeeded]
    hints = [(name, hint) for name in waiting for hint in explain_waiting(sights[name].console)]
    evidence = [f"{name}: {_last_line(sight)}" for name, sight in sights.items()]
    cause = f": {hints[0][1].cause}" if hints else ""
    remedy = f"{hints[0][1].remedy}\n" if hints else ""
    return EngineError(
        f"still loading after {cluster.timeouts.start} s{cause}",
        where=", ".join(waiting),
        evidence="\n".join(evidence),
        remedy=f"{remedy}lingctl logs shows what they do; if they only need longer, raise timeouts.start in "
        "hosts.yaml",
        code="start-timeout",
    )


def _last_line(sight: DaemonSight) -> str:
    return first_errors(sight.console, 1)[0] if sight.console.strip() else "printed nothing yet"
