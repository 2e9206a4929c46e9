"""All nodes side by side: one answer or one error for each, in the order of hosts.yaml."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from lingctl.errors import LingctlError, NodeError, NotAskedError
from lingctl.events import Event, Listener, ignore
from lingctl.remote.arrivals import Arrivals
from lingctl.remote.connection import Connection
from lingctl.remote.open_files import allow_open_files
from lingctl.remote.side_by_side import side_by_side

if TYPE_CHECKING:
    from lingctl.inventory.cluster import Cluster
    from lingctl.inventory.sections import Node
    from lingctl.remote.ssh.node import SshConnection

T = TypeVar("T")
_MOST_WORKERS = 64
# A connection, another where the server allows one session on each; and what else a program has open.
_FILES_OF_A_NODE, _OTHER_FILES = 2, 256
# Logins at once: most of one is waiting for the network, and the more at a time the sooner all are in.
_handshakes = threading.BoundedSemaphore(32)
# By a program, each may be a login of its own to one jump host: of more than these, sshd begins to drop some.
_handshakes_by_program = threading.BoundedSemaphore(8)


class Group:
    """Connections to the nodes of a cluster; a node that could not be reached has its error instead."""

    def __init__(
        self,
        connections: Mapping[str, Connection],
        errors: Mapping[str, LingctlError] | None = None,
        arrivals: Arrivals | None = None,
    ) -> None:
        """Know the nodes.

        Args:
            connections: by node, of those that are connected.
            errors: by node, of those that are not.
            arrivals: connections that are still being made.
        """
        self._connections = dict(connections)
        self._errors = dict(errors or {})
        self._arrivals = arrivals

    @property
    def connections(self) -> dict[str, Connection]:
        """By node, of those that are connected; waits until that is known of all."""
        reached = self.map(lambda connection: connection)
        return {name: one for name, one in reached.items() if not isinstance(one, LingctlError)}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The nodes that were not asked, on purpose."""
        return tuple(name for name, error in self._errors.items() if isinstance(error, NotAskedError))

    def __getitem__(self, node: str) -> Connection:
        """The connection to a node. Raises LingctlError: why there is none."""
        if node in self._errors:
            raise self._errors[node]
        if self._arrivals and node in self._arrivals.names:
            return self._arrivals.get(node)
        return self._connections[node]

    def only(self, names: Iterable[str]) -> Group:
        """These nodes alone. Raises LingctlError: why one of them is not connected."""
        return Group({name: self[name] for name in names})

    def map(self, work: Callable[[Connection], T], *, together: bool = False) -> dict[str, T | LingctlError]:
        """Do ``work`` on every node that is connected; keeps what succeeded when others fail.

        Args:
            together: work that goes on, or that waits for the other nodes' work, must run on all nodes at the
                same time, however many there are; else at most 64 are worked on at a time.

        Raises:
            BaseException: what is no LingctlError, a defect say; the connections are closed then, and the
                other nodes' work with them.
        """
        outcomes: dict[str, T | LingctlError] = dict(self._errors)
        names = [*self._connections, *(self._arrivals.names if self._arrivals else ())]
        workers = len(names) if together else _MOST_WORKERS
        # Without their connections, those that are still at work end at once.
        outcomes |= side_by_side(lambda name: work(self[name]), names, workers=workers, stop=self.close)
        return outcomes

    def all(self, work: Callable[[Connection], T], *, together: bool = False) -> dict[str, T]:
        """Do ``work`` on every node, as ``map`` does; all must succeed.

        Raises:
            LingctlError: the first node's error; when several failed, it names the others too.
        """
        return succeeded(self.map(work, together=together))

    def close(self) -> None:
        """Close every connection."""
        if self._arrivals:
            self._arrivals.close()
        for connection in self._connections.values():
            connection.close()

    def await_all(self) -> None:
        """Return when every node is connected, or has failed."""
        if self._arrivals:
            self.map(lambda connection: connection)


def succeeded(outcomes: Mapping[str, T | LingctlError]) -> dict[str, T]:
    """The outcomes if there is no failure among them. Raises LingctlError: see ``Group.all``."""
    raise_failures(outcomes)
    return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, LingctlError)}


def raise_failures(outcomes: Mapping[str, object]) -> None:
    """Raise what failed, if anything did."""
    failures = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, LingctlError)}
    if not failures:
        return
    first = next(iter(failures.values()))
    if len(failures) == 1:
        raise first
    # The same trouble everywhere stays that trouble, and keeps its exit status.
    kinds = {type(error) for error in failures.values()}
    kind = kinds.pop() if len(kinds) == 1 else NodeError
    evidence = [line for name, error in failures.items() for line in _told(name, error)]
    remedies = dict.fromkeys(error.remedy for error in failures.values() if error.remedy)
    causes = {error.what for error in failures.values()}
    cause = f": {causes.pop()}" if len(causes) == 1 else ""
    raise kind(
        f"{len(failures)} of {len(outcomes)} nodes failed{cause}",
        where=", ".join(failures),
        evidence="\n".join(evidence),
        remedy="\n".join(remedies),
        code=first.code,
    )


def _told(name: str, error: LingctlError) -> Iterator[str]:
    yield f"{name}: {error.what}"
    for line in error.evidence.splitlines()[:3]:
        yield f"{name}:   {line}"


@contextmanager
def connect(
    cluster: Cluster, listener: Listener = ignore, *, only: Collection[str] = (), wait: bool = True
) -> Iterator[Group]:
    """Connections to the nodes of a cluster while the block runs.

    Args:
        only: names of those that are wanted; by default all. Each of the others has a ``NotAskedError``.
        wait: enter the block when all are connected or have failed; else at once, and what is done on a node
            waits for that node alone. A change waits: it must not begin on one node while another is lost.
    """
    group = _connecting(cluster, listener, frozenset(only or cluster.node_names))
    try:
        if wait:
            group.await_all()
        yield group
    finally:
        group.close()


def connect_node(cluster: Cluster, node: Node) -> SshConnection:
    """A connection to one node. Raises ConnectError: it cannot be reached, or does not let us in."""
    from lingctl.inventory.ssh.resolve import resolve
    from lingctl.remote.ssh.login.this_machine import this_machine
    from lingctl.remote.ssh.node import SshConnection  # paramiko is loaded only when something is connected

    target = resolve(node.address, cluster.ssh_of(node), this_machine())
    with _handshakes_by_program if target.proxy_command else _handshakes:
        return SshConnection(node.name, target)


def _connecting(cluster: Cluster, listener: Listener, wanted: Collection[str]) -> Group:
    # Loaded here, for no two threads should load modules that need each other.
    for module in ("inventory.ssh.resolve", "remote.ssh.login.this_machine", "remote.ssh.node"):
        importlib.import_module(f"lingctl.{module}")

    allow_open_files(len(cluster.nodes) * _FILES_OF_A_NODE + _OTHER_FILES)

    def reach(name: str) -> Connection:
        listener(Event("connect", "started", name))
        try:
            connection = connect_node(cluster, cluster.node(name))
        except LingctlError as error:
            listener(Event("connect", "failed", name, error.what))
            raise
        listener(Event("connect", "done", name))
        return connection

    names = [name for name in cluster.node_names if name in wanted]
    errors: dict[str, LingctlError] = {
        name: NotAskedError("not asked: --node names others", where=name)
        for name in cluster.node_names
        if name not in wanted
    }
    return Group({}, errors, Arrivals(reach, names, workers=_MOST_WORKERS))
