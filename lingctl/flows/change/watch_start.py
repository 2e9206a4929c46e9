"""After the daemons are started: wait until all have loaded, or tell which one failed first and why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType

from lingctl.engine.interface import Engine
from lingctl.engine.logs import Diagnosis, LogReader
from lingctl.engines import engine_of
from lingctl.errors import EngineError, LingctlError
from lingctl.events import Event, Listener
from lingctl.flows.change.stop_rest import stop_rest
from lingctl.flows.look.clocks import clocks_apart
from lingctl.flows.look.daemon import DaemonSight, DaemonSights, cause_in_words, look_at_daemon, look_closer
from lingctl.inventory.cluster import Cluster
from lingctl.release.site import site_of
from lingctl.remote.group import Group

_POLL_SECONDS = 1.0
# A failed rank takes others with it within moments; the first one is told apart better when all have spoken.
_SETTLE_SECONDS = 1.5
_TASK = "load the model"
_MOST_OF_A_LINE = 300
_RESTARTED = "daemon-restarted"


def wait_until_loaded(
    group: Group, cluster: Cluster, listener: Listener, seen: DaemonSights | None = None
) -> None:
    """Wait until every daemon says that it has started. That is not yet an answer to a request.

    Args:
        seen: the daemons, where they were looked at a moment ago; they are looked at again unless all have
            started.

    Raises:
        EngineError: a daemon ended, will wait for ever, or the time limit passed; says which node and why.
    """
    deadline = time.monotonic() + cluster.timeouts.start
    for node in cluster.nodes:
        listener(Event(_TASK, "started", node.name))
    loaded: set[str] = set()
    known = seen.nodes if seen is not None and seen.all_loaded else None
    said: dict[str, str] = {}
    while len(loaded) < len(cluster.nodes):
        sights = known or need_living_daemons(group, cluster, listener)
        for name, sight in sights.items():
            if sight.succeeded and name not in loaded:
                loaded.add(name)
                listener(Event(_TASK, "done", name))
            elif name not in loaded and (last := _last_printed(sight)) != said.get(name):
                said[name] = last
                listener(Event(_TASK, "progress", name, last))
        if len(loaded) < len(cluster.nodes):
            if time.monotonic() > deadline:
                raise _too_late(cluster, sights)
            time.sleep(_POLL_SECONDS)


def need_living_daemons(group: Group, cluster: Cluster, listener: Listener) -> dict[str, DaemonSight]:
    """Look at every node's daemon once. When one is gone, or they wait for each other for ever, the others
    are stopped: seen on 3.0.0, they wait for a dead one without end and without a word, and hold their cards.

    Raises:
        EngineError: one has ended, or none will ever be ready; says which failed first, what its last words
            mean, and what became of the others.
    """
    site, engine = site_of(cluster), engine_of(cluster)
    sights = group.all(lambda connection: look_at_daemon(connection, site))
    if any(not sight.alive for sight in sights.values()):
        time.sleep(_SETTLE_SECONDS)
        sights = group.all(
            lambda connection: look_closer(connection, site, engine, look_at_daemon(connection, site))
        )
        error = death(cluster, sights, clocks_apart(group, site))
    else:
        stuck = engine.logs.waits_for_ever({name: sights[name].console for name in cluster.node_names})
        if stuck is None:
            return sights
        error = _failed(engine, stuck, sights, "will never be ready")
    if error.code != _RESTARTED:
        living = [name for name, sight in sights.items() if sight.alive]
        error = _with_stopped(error, stop_rest(group, site, living, listener))
    raise error


def death(
    cluster: Cluster, sights: Mapping[str, DaemonSight], clocks: Mapping[str, float] = MappingProxyType({})
) -> EngineError:
    """The error for a group of which a daemon is gone.

    Args:
        sights: a closer look at every node's daemon.
        clocks: seconds by which what stamps each node's lines is ahead of the first node's, as far as known.
    """
    statuses = {name: sight.exit_status for name, sight in sights.items() if not sight.alive}
    texts = {name: sights[name].told for name in sorted(sights, key=cluster.node_names.index)}
    engine = engine_of(cluster)
    found = engine.logs.diagnose(texts, list(statuses), statuses=statuses, clocks=clocks)
    if found is None:  # it was gone, and is there again: somebody else restarted it
        return EngineError(
            "a daemon ended and was started again by somebody else",
            where=", ".join(sights),
            code=_RESTARTED,
        )
    how = "is in trouble"
    if found.node in statuses:
        status = statuses[found.node]
        how = f"ended (exit status {status})" if status else "ended without a word on how"
    return _failed(engine, found, sights, how)


def _failed(engine: Engine, found: Diagnosis, sights: Mapping[str, DaemonSight], how: str) -> EngineError:
    node, known, about = found.node, found.explanation, engine.about
    cause = cause_in_words(found, sights[node].exit_status, engine.logs)
    told = (found.evidence, known.detail if known else "", *found.also)
    look = (
        f"lingctl logs --node {node}  shows all of its console; nothing was removed\n"
        "lingctl collect  packs the evidence of all nodes"
    )
    return EngineError(
        f"the {about.title} daemon {how}: {cause}",
        where=found.where,
        evidence="\n".join(part for part in told if part),
        remedy=f"{known.remedy}\n{look}" if known else look,
        code=f"{about.name}-{known.id}" if known else "daemon-died",
    )


def _with_stopped(error: EngineError, others: Mapping[str, LingctlError | None]) -> EngineError:
    """The same, with what became of the others."""
    done = ", ".join(name for name, trouble in others.items() if trouble is None)
    told = [f"{done}: stopped too: without the others it would have waited for ever"] if done else []
    left = [f"{name}: could not be stopped: {trouble.what}" for name, trouble in others.items() if trouble]
    remedy = ["lingctl stop  ends the daemons that still run"] if left else []
    return error.but(
        evidence="\n".join(filter(None, [error.evidence, *told, *left])),
        remedy="\n".join([error.remedy, *remedy]),
    )


def _too_late(cluster: Cluster, sights: Mapping[str, DaemonSight]) -> EngineError:
    waiting = [name for name, sight in sights.items() if not sight.succeeded]
    logs = engine_of(cluster).logs
    hints = [(name, hint) for name in waiting for hint in logs.explain_waiting(sights[name].console)]
    missing = logs.missing_nodes({name: sights[name].console for name in cluster.node_names})
    evidence = [f"{name}: {_last_line(sight, logs)}" for name, sight in sights.items()]
    evidence += [f"{name}: has not come to where the others wait for it" for name in missing]
    cause = f": {hints[0][1].cause}" if hints else ""
    remedy = f"{hints[0][1].remedy}\n" if hints else ""
    return EngineError(
        f"still loading after {cluster.timeouts.start} s{cause}",
        where=", ".join(missing or waiting),
        evidence="\n".join(evidence),
        remedy=f"{remedy}lingctl logs shows what they do; if they only need longer, raise timeouts.start in "
        "hosts.yaml",
        code="start-timeout",
    )


def _last_printed(sight: DaemonSight) -> str:
    """What a daemon that loads said last. A progress bar is printed over and over in one line."""
    lines = [part.strip() for part in sight.console.replace("\r", "\n").splitlines()]
    last = next((part for part in reversed(lines) if part), "")
    return f"last log line: {last[:_MOST_OF_A_LINE]}" if last else "nothing printed yet"


def _last_line(sight: DaemonSight, logs: LogReader) -> str:
    return logs.first_errors(sight.console, 1)[0] if sight.console.strip() else "printed nothing yet"
