"""A change under way: the cluster's lock is held, and what is done is written down on its node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from lingctl import interrupts
from lingctl.assets import shell
from lingctl.errors import LingctlError
from lingctl.events import Event, Listener
from lingctl.flows.run.lock import Lock, locked
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Plan, Step
from lingctl.release.journal import ChangeRun, Result, begin_line, end_line, step_line
from lingctl.release.state import NodeState
from lingctl.remote.command import script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group, connect_node

_APPEND = shell("change/append")


class Change:
    """What ``execute`` tells of its steps; see ``changing``."""

    def __init__(
        self, group: Group, cluster: Cluster, run: ChangeRun, lock: Lock, listener: Listener
    ) -> None:
        self._group = group
        self._path = cluster.layout.audit
        self._run = run
        self._lock = lock
        self._listener = listener
        self._begun: set[str] = set()

    def begin(self, plan: Plan) -> None:
        """Write on each node what is going to be done there."""
        titles: Mapping[str, list[str]] = defaultdict(list)
        for step in plan.changes:
            titles[step.node].append(step.title)
        lines = {name: begin_line(self._run, _now(), own) for name, own in titles.items()}
        self._group.only(titles).map(lambda connection: self._append(connection, lines[connection.node]))
        self._begun |= set(titles)

    def check(self) -> None:
        """Before a stage: is the lock still ours? Raises LingctlError: it is not, or nobody can tell."""
        self._lock.check()

    def steps(self, connection: Connection, steps: Sequence[Step], error: LingctlError | None = None) -> None:
        """Write that steps were done, or failed."""
        result: Result = "failed" if error else "done"
        what = error.what if error else ""
        lines = (step_line(self._run, _now(), step.title, result, what) for step in steps)
        self._append(connection, *lines)

    def note(self, connection: Connection, title: str, result: Result, what: str = "") -> None:
        """Write a line about something that no ``begin`` announced: cut off, it is not half-done."""
        self._append(connection, step_line(self._run, _now(), title, result, what))

    def end(self, result: Result, what: str = "") -> None:
        """Write that the run is over: on all nodes, so that none tells of a change half-done that is not."""
        line = end_line(self._run, _now(), result, what)
        involved = self._group.only(self._begun)
        with interrupts.deferred():
            involved.map(lambda connection: self._append(connection, line))

    def _append(self, connection: Connection, *lines: str) -> None:
        _append(connection, self._path, "\n".join(lines), self._listener)


@contextmanager
def changing(
    group: Group, cluster: Cluster, command: str, listener: Listener, *, wait: float = 0.0
) -> Iterator[Change]:
    """Hold the lock and keep the journal while the block changes nodes.

    The lock has a connection of its own: an interrupt closes the others, and it can still be given back. The
    journal then keeps its beginning without an end: so the next run knows what is half-done.

    Args:
        command: as others are told, e.g. ``lingctl deploy``.
        wait: seconds to wait for somebody else's change to end.
    """
    connection = connect_node(cluster, cluster.primary)
    try:
        with locked(connection, cluster, command, listener, wait=wait) as lock:
            run = ChangeRun(lock.holder.token[:8], command, lock.holder.who)
            change = Change(group, cluster, run, lock, listener)
            try:
                yield change
            except LingctlError as error:
                change.end("failed", error.what)
                raise
            change.end("done")
    finally:
        connection.close()


@contextmanager
def noted_change(
    group: Group, cluster: Cluster, command: str, title: str, listener: Listener, *, wait: float = 0.0
) -> Iterator[None]:
    """``changing``, for a block that has no plan: each node's log gets a line before it and one after.

    Cut off, it is not told as half-done and hides no change that is: the first line then stays alone.

    Args:
        title: what the lines say is done.
    """
    with changing(group, cluster, command, listener, wait=wait) as change:

        def note(result: Result, what: str = "") -> None:
            group.map(lambda connection: change.note(connection, title, result, what))

        note("begun")
        try:
            yield
        except LingctlError as error:
            note("failed", error.what)
            raise
        note("done")


def settle(group: Group, cluster: Cluster, states: Mapping[str, NodeState], listener: Listener) -> None:
    """Close earlier runs that did not end well: all that they meant to do was found done."""
    unfinished = {name: state.unfinished for name, state in states.items() if state.unfinished is not None}
    path = cluster.layout.audit

    def close(connection: Connection) -> None:
        line = end_line(unfinished[connection.node].run, _now(), "done", "found complete by a later run")
        _append(connection, path, line, listener)

    group.only(unfinished).map(close)


def _append(connection: Connection, path: str, lines: str, listener: Listener) -> None:
    """A log that cannot be written (a full disk) must not keep an operator from stopping or mending."""
    try:
        write = script(_APPEND, path, lines, title="write the audit log")
        connection.run(write, timeout=30).checked(connection.node)
    except LingctlError as error:
        if interrupts.received() is not None:
            return  # the connection was closed for it, and the log tells of it by having no end
        listener(Event("audit log", "note", connection.node, f"not written: {error.what}"))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
