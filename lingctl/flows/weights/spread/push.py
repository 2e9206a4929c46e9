"""Weights from this machine to a node, through the SSH connection that is there already."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from lingctl.errors import LingctlError
from lingctl.flows.weights.fetched import ListeningPort
from lingctl.flows.weights.node_fetch import NodeFetch
from lingctl.flows.weights.spread.certificates import Authority
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.peers.serve import Giver
from lingctl.node.fetch.peers.source import CONNECTIONS
from lingctl.node.fetch.peers.wire import Channel, context
from lingctl.node.fetch.place import Place
from lingctl.remote.connection import CanForward
from lingctl.remote.group import Group

_PAUSE = 0.5
_NO_SERVICE = 9


class Wants(Protocol):
    """What is pushed, and to whom."""

    @property
    def files(self) -> tuple[ListedFile, ...]:
        """The files."""

    @property
    def heads(self) -> Mapping[str, object]:
        """The nodes that are pushed to, by name."""


@contextmanager
def pushing(
    group: Group,
    nodes: Mapping[str, NodeFetch],
    wants: Wants,
    authority: Authority,
    folder: str,
    tls_name: Callable[[str], str],
) -> Iterator[None]:
    """Give the files of ``folder`` to the heads while the block runs; does nothing without a folder."""
    if not folder:
        yield
        return
    for name in wants.heads:
        # A server that forwards nothing says so here, and not by a node that waits for ever.
        with _forward(group, name, _NO_SERVICE):
            pass
    ended = threading.Event()
    threads = [
        threading.Thread(
            target=_Push(
                group=group,
                node=nodes[name],
                name=tls_name(name),
                authority=authority,
                folder=folder,
                files=wants.files,
                ended=ended,
            ).run,
            name=f"push to {name}",
            daemon=True,
        )
        for name in wants.heads
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(5)


class _Push:
    """The connections to one node; made again until the node has everything."""

    def __init__(
        self,
        *,
        group: Group,
        node: NodeFetch,
        name: str,
        authority: Authority,
        folder: str,
        files: tuple[ListedFile, ...],
        ended: threading.Event,
    ) -> None:
        self._group = group
        self._node = node
        self._name = name
        self._giver = Giver(Place(folder), files)
        self._tls = _client_context(authority)
        self._ended = ended

    def run(self) -> None:
        """Until the block ends. The node's own report tells how it went."""
        while not self._ended.is_set():
            # The node may not listen yet, or listen anew: ask again each time.
            with contextlib.suppress(LingctlError):
                self._give_all()
            self._ended.wait(_PAUSE)

    def _give_all(self) -> None:
        port = self._node.ask(ListeningPort, "push-port").port
        with _forward(self._group, self._node.node, port) as address:
            threads = [
                threading.Thread(target=self._give, args=(address,), daemon=True) for _ in range(CONNECTIONS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _give(self, address: tuple[str, int]) -> None:
        # The node ends the connections when it has everything, and asks anew when one broke.
        with (
            contextlib.suppress(OSError),
            socket.create_connection(address, timeout=20) as sock,
            self._tls.wrap_socket(sock, server_hostname=self._name) as safe,
        ):
            self._giver.give(Channel(safe))


def _forward(group: Group, node: str, port: int) -> AbstractContextManager[tuple[str, int]]:
    connection = group[node]
    assert isinstance(connection, CanForward), "nodes are reached over SSH"
    return connection.forward("127.0.0.1", port)


def _client_context(authority: Authority) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory(prefix="lingctl-") as folder:
        # Python's ssl reads certificates from files only; the folder is for this user alone.
        (Path(folder) / "ca.pem").write_bytes(authority.certificate)
        own = Path(folder) / "push.pem"
        own.touch(mode=0o600)
        own.write_bytes(authority.issue("lingctl"))
        return context(folder, "push", server=False)
