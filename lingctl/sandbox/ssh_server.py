"""A real SSH server (paramiko's server side) for one emulated node: key login, exec, SFTP, forwarding."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import IO

import paramiko

from lingctl.sandbox.sftp import NodeFiles
from lingctl.sandbox.state import load_node

logging.getLogger("paramiko").setLevel(logging.CRITICAL)
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
}


def serve(name: str, address: str, port: int, keys: Path) -> None:
    """Serve until killed; obeys the faults ``unreachable`` and ``wrong-host-key``.

    Args:
        name: the node's name in the sandbox state.
        address: loopback address to listen on.
        port: TCP port.
        keys: folder with ``host``, ``other`` (the wrong one) and ``authorized.pub``.
    """
    host, other = (paramiko.Ed25519Key(filename=str(keys / part)) for part in ("host", "other"))
    allowed = paramiko.PublicBlob.from_file(str(keys / "authorized.pub")).key_blob
    listener: socket.socket | None = None
    transports: list[paramiko.Transport] = []
    while True:
        faults = load_node(name).faults
        if "unreachable" in faults:
            for transport in transports:
                transport.close()
            transports.clear()
            if listener:
                listener.close()
                listener = None
            threading.Event().wait(0.05)
            continue
        if listener is None:
            listener = socket.create_server((address, port), backlog=64)
            listener.settimeout(0.05)
        with contextlib.suppress(TimeoutError, OSError):
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            key = other if "wrong-host-key" in faults else host
            transports = [transport for transport in transports if transport.is_active()]
            transports.append(_start(client, key, allowed))


def _start(client: socket.socket, key: paramiko.PKey, allowed: bytes) -> paramiko.Transport:
    transport = paramiko.Transport(client)
    transport.add_server_key(key)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, NodeFiles)
    session = _Session(allowed)
    threading.Thread(target=_run, args=(transport, session), daemon=True).start()
    return transport


def _run(transport: paramiko.Transport, session: _Session) -> None:
    try:
        transport.start_server(server=session)
    except (paramiko.SSHException, EOFError, OSError):
        transport.close()
        return
    while transport.is_active():
        channel = transport.accept(1)
        if channel is not None and channel.chanid in session.forwards:
            target = session.forwards.pop(channel.chanid)
            threading.Thread(target=_forward, args=(channel, target), daemon=True).start()


class _Session(paramiko.ServerInterface):
    """What one connection may do."""

    def __init__(self, allowed: bytes) -> None:
        self._allowed = allowed
        self.forwards: dict[int, tuple[str, int]] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "root" and key.asbytes() == self._allowed
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

    def check_channel_pty_request(self, *_: object) -> bool:
        return True

    def check_channel_env_request(self, *_: object) -> bool:
        return False

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.forwards[chanid] = destination
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_execute, args=(channel, command), daemon=True).start()
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        threading.Thread(target=_execute, args=(channel, b"exec /bin/sh"), daemon=True).start()
        return True


def _execute(channel: paramiko.Channel, command: bytes) -> None:
    """Run as sshd does without a terminal: the session ends when the output does."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/root",
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    threading.Thread(target=_feed, args=(channel, process.stdin), daemon=True).start()
    errors = threading.Thread(target=_drain, args=(process.stderr, channel.sendall_stderr), daemon=True)
    errors.start()
    _drain(process.stdout, channel.sendall)
    errors.join()
    status = process.wait()
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.send_exit_status(status if status >= 0 else 128 - status)
        channel.shutdown_write()
        channel.close()


def _feed(channel: paramiko.Channel, sink: IO[bytes]) -> None:
    with contextlib.suppress(OSError, EOFError, ValueError):
        while data := channel.recv(65536):
            sink.write(data)
            sink.flush()
    with contextlib.suppress(OSError):
        sink.close()


def _drain(source: IO[bytes], send: object) -> None:
    assert callable(send)
    sending = True
    while data := os.read(source.fileno(), 65536):
        if sending:
            try:
                send(data)
            except (OSError, EOFError, paramiko.SSHException):
                sending = False  # the client left; the command goes on, as it does under sshd


def _forward(channel: paramiko.Channel, target: tuple[str, int]) -> None:
    try:
        peer = socket.create_connection(target, timeout=10)
    except OSError:
        channel.close()
        return
    peer.settimeout(None)
    back = threading.Thread(target=_copy, args=(peer, channel), daemon=True)
    back.start()
    _copy(channel, peer)
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_WR)
    back.join()
    peer.close()
    channel.close()


def _copy(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            sink.sendall(data)
    if isinstance(sink, paramiko.Channel):
        with contextlib.suppress(OSError, EOFError):
            sink.shutdown_write()
