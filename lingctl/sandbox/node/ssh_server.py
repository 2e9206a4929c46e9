"""A real SSH server (paramiko's server side) for one emulated node: key login, exec, SFTP, forwarding."""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import threading
from pathlib import Path
from typing import ClassVar

import paramiko
from paramiko import common
from paramiko.pkey import PublicBlob

from lingctl.sandbox.node.sftp import NodeFiles, Subsystem
from lingctl.sandbox.node.ssh_session import Terminal, execute, forward

logging.getLogger("paramiko").setLevel(logging.CRITICAL)
# sshd's defaults. MaxSessions: more channels at a time on one connection are refused. MaxAuthTries: so many
# keys in vain end the connection. MaxStartups: of so many logins begun and not done some are dropped, of
# _ALL_DROPPED every one.
_MAX_SESSIONS = 10
_MAX_TRIES = 6
_SOME_DROPPED, _DROPPED_PERCENT, _ALL_DROPPED = 10, 30, 100


def serve(address: str, port: int, keys: Path, orders: socket.socket) -> None:
    """Serve until killed.

    Args:
        address: loopback address to listen on.
        port: TCP port.
        keys: folder with ``host``, ``other`` (the wrong one) and ``authorized.pub``.
        orders: takes ``open``, ``close``, ``host`` and ``other``; each is answered once it is done, and
            ``up`` is said when the server listens for the first time.
    """
    offered = {part: paramiko.Ed25519Key(filename=str(keys / part)) for part in ("host", "other")}
    allowed = PublicBlob.from_file(str(keys / "authorized.pub")).key_blob
    listener: socket.socket | None = _listen(address, port)
    key = offered["host"]
    transports: list[paramiko.Transport] = []
    orders.send(b"up")
    while True:
        watched = [orders] if listener is None else [orders, listener]
        readable = select.select(watched, [], [])[0]
        if orders in readable:
            order = orders.recv(16).decode()
            if order in offered:
                key = offered[order]
            elif order == "close" and listener is not None:
                listener.close()
                listener = None
                for transport in transports:
                    transport.close()
                transports.clear()
            elif order == "open" and listener is None:
                listener = _listen(address, port)
            orders.send(b"done")
        elif listener is not None and listener in readable:
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                transports = [transport for transport in transports if transport.is_active()]
                if _drops(sum(not transport.is_authenticated() for transport in transports)):
                    client.close()
                    continue
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                transports.append(_start(client, key, allowed))


def _listen(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), backlog=128)


def _drops(begun: int) -> bool:
    """Whether a connection is closed without a word for the logins that are begun and not done."""
    share = (100 - _DROPPED_PERCENT) * (begun - _SOME_DROPPED) // (_ALL_DROPPED - _SOME_DROPPED)
    return begun >= _SOME_DROPPED and random.randrange(100) < share + _DROPPED_PERCENT


def _start(client: socket.socket, key: paramiko.PKey, allowed: bytes) -> paramiko.Transport:
    transport = _Transport(client)
    transport.local_version = "SSH-2.0-OpenSSH_8.8"
    transport.add_server_key(key)
    transport.set_subsystem_handler("sftp", Subsystem, NodeFiles)
    session = _Session(allowed, transport)
    # With an event it does not wait for the client, which may say nothing.
    transport.start_server(event=threading.Event(), server=session)
    threading.Thread(target=_run, args=(transport, session), daemon=True).start()
    return transport


def _run(transport: paramiko.Transport, session: _Session) -> None:
    while transport.is_active():
        channel = transport.accept(1)
        if channel is None:
            continue
        session.keep(channel)
        if channel.chanid in session.forwards:
            peer = session.forwards.pop(channel.chanid)
            threading.Thread(target=forward, args=(channel, peer), daemon=True).start()


def _answer_then_run(channel: paramiko.Channel, request: paramiko.Message) -> None:
    # The table's own entry; it answers the request, and is in no stubs because its name is private.
    channel._handle_request(request)  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
    server = channel.get_transport().server_object
    if isinstance(server, _Session):
        server.run_pending(channel)


class _Transport(paramiko.Transport):
    """Runs a command only once its request is answered: one that ends at once would else close first.

    paramiko tells a server of a request before it answers it, and of nothing after; so the entry of its table
    that does both is replaced.
    """

    _channel_handler_table: ClassVar = {
        # In no stubs, because the name is private.
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        common.MSG_CHANNEL_REQUEST: _answer_then_run,
    }


class _Session(paramiko.ServerInterface):
    """What one connection may do."""

    def __init__(self, allowed: bytes, transport: paramiko.Transport) -> None:
        self._allowed, self._transport = allowed, transport
        self._tries = 0
        self._kept: dict[int, paramiko.Channel] = {}
        self._sessions: set[int] = set()
        self._terminals: dict[int, Terminal] = {}
        self._pending: dict[int, bytes | None] = {}
        self.forwards: dict[int, socket.socket] = {}

    def keep(self, channel: paramiko.Channel) -> None:
        """Hold a channel for as long as it is open: paramiko closes one that nobody holds."""
        self._kept = {number: kept for number, kept in self._kept.items() if not kept.closed}
        self._kept[channel.chanid] = channel

    def _closed(self, number: int) -> bool:
        return number in self._kept and self._kept[number].closed

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if username == "root" and key.asbytes() == self._allowed:
            return common.AUTH_SUCCESSFUL
        self._tries += 1
        if self._tries == _MAX_TRIES:
            message = paramiko.Message()
            message.add_byte(common.cMSG_DISCONNECT)
            message.add_int(2)  # SSH_DISCONNECT_PROTOCOL_ERROR
            message.add_string("Too many authentication failures")
            message.add_string("")
            self._transport._send_message(message)  # type: ignore[attr-defined]  # paramiko has no call for it
            self._transport.close()
        return common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind != "session":
            return common.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE
        # Counted here and not when they are kept: the next request may come before that.
        self._sessions = {number for number in self._sessions if not self._closed(number)} | {chanid}
        if len(self._sessions) > _MAX_SESSIONS:
            self._sessions.discard(chanid)
            return common.OPEN_FAILED_CONNECT_FAILED
        return common.OPEN_SUCCEEDED

    def check_channel_pty_request(
        self, channel: paramiko.Channel, term: bytes, width: int, height: int, *_: object
    ) -> bool:
        self._terminals[channel.chanid] = Terminal(term.decode("ascii", "replace"), width, height)
        return True

    def check_channel_window_change_request(
        self, channel: paramiko.Channel, width: int, height: int, *_: object
    ) -> bool:
        terminal = self._terminals.get(channel.chanid)
        if terminal is not None:
            terminal.resize(width, height)
        return terminal is not None

    def check_channel_env_request(self, *_: object) -> bool:
        return False

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        # Connected before it is confirmed, as sshd does: a refusal is the client's to see.
        try:
            self.forwards[chanid] = socket.create_connection(destination, timeout=10)
        except OSError:
            return common.OPEN_FAILED_CONNECT_FAILED
        return common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._pending[channel.chanid] = command
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self._pending[channel.chanid] = None
        return True

    def run_pending(self, channel: paramiko.Channel) -> None:
        """Start what the channel has asked for, if it has asked."""
        if channel.chanid not in self._pending:
            return
        command, terminal = self._pending.pop(channel.chanid), self._terminals.get(channel.chanid)
        threading.Thread(target=execute, args=(channel, command, terminal), daemon=True).start()
