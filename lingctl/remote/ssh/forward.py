"""A port on this machine whose connections come out on a node."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from lingctl.errors import ConnectError

_PROHIBITED = 1
_NO_SERVICE = ("127.0.0.1", 9)


@contextmanager
def forward_port(transport: paramiko.Transport, host: str, port: int) -> Iterator[tuple[str, int]]:
    """Listen on a free loopback port while the block runs; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        ended = threading.Event()
        thread = threading.Thread(
            target=_accept,
            args=(listener, transport, (host, port), ended),
            name="lingctl-forward",
            daemon=True,
        )
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            ended.set()
            thread.join(2)


def may_forward(transport: paramiko.Transport, host: str, port: int, node: str) -> bool:
    """Tell a server that forwards nothing from a service that does not answer.

    A port of no service is asked about first: the service itself hears of it only where the answer is no.

    Returns:
        Whether it forwards to any place, so that it need not be asked about another.

    Raises:
        ConnectError: the server does not forward there.
    """
    said = ""
    for place in (_NO_SERVICE, (host, port)):
        try:
            transport.open_channel("direct-tcpip", place, ("127.0.0.1", 0), timeout=15).close()
        except paramiko.ChannelException as error:
            if error.code == _PROHIBITED:
                said = error.text
                continue
        return place == _NO_SERVICE
    raise ConnectError(
        f"the SSH server forwards no connection to {host} port {port}",
        where=node,
        evidence=said,
        remedy="let it: AllowTcpForwarding yes in its sshd_config (and PermitOpen for that port); or open "
        "the port to this machine, which then needs no tunnel",
        code="forward-forbidden",
    )


def _accept(
    listener: socket.socket, transport: paramiko.Transport, target: tuple[str, int], ended: threading.Event
) -> None:
    while not ended.is_set():
        try:
            client, origin = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        threading.Thread(target=_carry, args=(client, transport, target, origin, ended), daemon=True).start()


def _carry(
    client: socket.socket,
    transport: paramiko.Transport,
    target: tuple[str, int],
    origin: tuple[str, int],
    ended: threading.Event,
) -> None:
    with client:
        try:
            channel = transport.open_channel("direct-tcpip", target, origin, timeout=15)
        except (paramiko.SSHException, EOFError):
            return  # the client sees a closed connection, as it would on the node
        with contextlib.suppress(OSError, EOFError):
            _pump(client, channel, ended)
        channel.close()


def _pump(client: socket.socket, channel: paramiko.Channel, ended: threading.Event) -> None:
    # Not select(): it refuses descriptors above 1023, and a benchmark opens many.
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, (client, channel))
        selector.register(channel, selectors.EVENT_READ, (channel, client))
        while not ended.is_set():
            for ready, _ in selector.select(0.2):
                source, sink = ready.data
                data = source.recv(65536)
                if not data:
                    return
                sink.sendall(data)
