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

from lingctl.errors import LingctlError
from lingctl.flows.weights.fetched import ListeningPort
from lingctl.flows.weights.node_fetch import NodeFetch
from lingctl.flows.weights.spread.certificates import Authority
from lingctl.flows.weights.spread.sources import Found
from lingctl.node.fetch.peers.serve import Giver
from lingctl.node.fetch.peers.source import CONNECTIONS
from lingctl.node.fetch.peers.wire import Channel, context
from lingctl.node.fetch.place import Place
from lingctl.remote.connection import CanForward
from lingctl.remote.group import Group

_PAUSE = 0.5
_NO_SERVICE = 9


@contextmanager
def pushing(
    group: Group,
    nodes: Mapping[str, NodeFetch],
    wants: Found,
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
    giver, tls, ended = Giver(Place(folder), wants.files), _client_context(authority), threading.Event()

    def push(name: str) -> None:
        """Connect until the block ends. The node's own report tells how it went."""
        while not ended.is_set():
            # The node may not listen yet, or listen anew: ask again each time.
            with contextlib.suppress(LingctlError):
                port = nodes[name].ask(ListeningPort, "push-port").port
                with _forward(group, name, port) as address:
                    _join([_thread(give, address, tls_name(name)) for _ in range(CONNECTIONS)])
            ended.wait(_PAUSE)

    def give(address: tuple[str, int], name: str) -> None:
        # The node ends the connections when it has everything, and asks anew when one broke.
        with (
            contextlib.suppress(OSError),
            socket.create_connection(address, timeout=20) as sock,
            tls.wrap_socket(sock, server_hostname=name) as safe,
        ):
            giver.give(Channel(safe))

    threads = [_thread(push, name) for name in wants.heads]
    try:
        yield
    finally:
        ended.set()
        _join(threads, 5)


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    """Work that begins now, and ends at the latest with this process."""
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _join(threads: list[threading.Thread], seconds: float | None = None) -> None:
    for thread in threads:
        thread.join(seconds)


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
