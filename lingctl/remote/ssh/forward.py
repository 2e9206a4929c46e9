"""A port on this machine whose connections come out on a node."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from types import TracebackType

import paramiko

from lingctl.errors import ConnectError
from lingctl.remote.side_by_side import begun

_PROHIBITED = 1
_OPEN_SECONDS = 15.0
# A service that hears nothing may end a connection soon; one that is not taken by then is given back.
_FRESH_SECONDS = 2.0


class ForwardedPort:
    """A tunnel: begun when it is made, so that several are opened at once, and there while its block runs.

    The connection of its first client is opened before that comes, which tells whether the server forwards
    there at all: a server that does not is told from a service that does not answer, and who asks a question
    at once waits for its answer alone.
    """

    def __init__(self, transport: paramiko.Transport, host: str, port: int, node: str) -> None:
        """Begin to open it.

        Args:
            host: address of the service, as the node sees it.
            port: its port.
            node: name of the node.
        """
        self._transport = transport
        self._place = (host, port)
        self._node = node
        self._ended = threading.Event()
        self._first = begun(lambda: _open(transport, self._place, ("127.0.0.1", 0)), "lingctl-tunnel")
        self._listening = contextlib.ExitStack()

    def __enter__(self) -> tuple[str, int]:
        """Listen on a free loopback port; its address.

        Raises:
            ConnectError: the server does not forward there, or the connection was lost.
        """
        first = self._opened()
        listener = self._listening.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(0.2)
        address: tuple[str, int] = listener.getsockname()
        thread = threading.Thread(
            target=self._accept, args=(listener, first), name="lingctl-forward", daemon=True
        )
        thread.start()
        self._listening.callback(thread.join, 2)
        self._listening.callback(_wake, listener)
        self._listening.callback(self._ended.set)
        return address

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, and what goes through it."""
        self._listening.close()

    def _opened(self) -> paramiko.Channel | None:
        """The first connection; None where the service takes none."""
        host, port = self._place
        try:
            return self._first.result(_OPEN_SECONDS + 1)
        except paramiko.ChannelException as error:
            if error.code != _PROHIBITED:
                return None
            raise ConnectError(
                f"the SSH server forwards no connection to {host} port {port}",
                where=self._node,
                evidence=error.text,
                code="forward-forbidden",
            ) from error
        except (paramiko.SSHException, EOFError, TimeoutError) as error:
            if self._transport.is_active():
                return None
            raise ConnectError(
                f"open a tunnel to {host} port {port}: the connection was lost",
                where=self._node,
                evidence=str(error),
                code="connection-lost",
            ) from error

    def _accept(self, listener: socket.socket, first: paramiko.Channel | None) -> None:
        until = time.monotonic() + _FRESH_SECONDS
        while not self._ended.is_set():
            client: socket.socket | None = None
            try:
                client, origin = listener.accept()
            except TimeoutError:
                pass
            except OSError:
                break
            if first is not None and time.monotonic() > until:
                _give_back(first)
                first = None
            if client is not None:
                threading.Thread(target=self._carry, args=(client, origin, first), daemon=True).start()
                first = None
        if first is not None:
            _give_back(first)

    def _carry(self, client: socket.socket, origin: tuple[str, int], first: paramiko.Channel | None) -> None:
        with client:
            channel = first
            if channel is None or _is_over(channel):
                try:
                    channel = _open(self._transport, self._place, origin)
                except (paramiko.SSHException, EOFError):
                    return  # the client sees a closed connection, as it would on the node
            with contextlib.suppress(OSError, EOFError):
                _pump(client, channel, self._ended)
            _give_back(channel)


def _give_back(channel: paramiko.Channel) -> None:
    """Close it; where the connection below it is gone, so is it."""
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.close()


def _is_over(channel: paramiko.Channel) -> bool:
    """Whether nothing more can come of a connection."""
    return bool(channel.closed or channel.eof_received) and not channel.recv_ready()


def _wake(listener: socket.socket) -> None:
    """End what waits for a client."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _open(transport: paramiko.Transport, place: tuple[str, int], origin: tuple[str, int]) -> paramiko.Channel:
    return transport.open_channel("direct-tcpip", place, origin, timeout=_OPEN_SECONDS)


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
