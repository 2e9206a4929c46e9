"""Jump hosts: one connection to each, shared by all that go through it, for as long as one of them does.

A login for each node would run into its MaxStartups, and ask for a security key's touch each time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import paramiko

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.transport import Transport

_PROHIBITED = 1


@dataclass(slots=True)
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    transport: Transport | None = None
    error: ConnectError | None = None


class JumpHosts:
    """The connections that are held, by target."""

    def __init__(self, log_in: Callable[[str, SshTarget], Transport]) -> None:
        """Nothing is connected yet.

        Args:
            log_in: makes a connection, for a node.
        """
        self._log_in = log_in
        self._lock = threading.Lock()
        self._held: dict[SshTarget, _Held] = {}

    def open(self, node: str, jump: SshTarget, target: SshTarget) -> ThroughJumpHost:
        """A connection to ``target`` through a jump host.

        Raises:
            ConnectError: the jump host cannot be logged in to, or does not reach the target.
        """
        transport = self._take(node, jump)
        try:
            channel = _forwarded(node, transport, jump, target)
        except BaseException:
            self._give_back(jump)
            raise
        return ThroughJumpHost(channel, lambda: self._give_back(jump))

    def _take(self, node: str, jump: SshTarget) -> Transport:
        with self._lock:
            held = self._held.setdefault(jump, _Held())
            held.users += 1
        try:
            with held.lock:
                if held.error is not None:
                    raise _of_jump_host(held.error, node)
                if held.transport is None or not held.transport.is_active():
                    try:
                        held.transport = self._log_in(node, jump)
                    except ConnectError as error:
                        # Those that wait would be refused too, and each would count as a failed login.
                        held.error = _of_jump_host(error, node, jump)
                        raise held.error from error
                return held.transport
        except BaseException:
            self._give_back(jump)
            raise

    def _give_back(self, jump: SshTarget) -> None:
        with self._lock:
            held = self._held[jump]
            held.users -= 1
            if held.users:
                return
            del self._held[jump]
        if held.transport is not None:
            held.transport.close()


class ThroughJumpHost:
    """A channel of a jump host's connection in the place of a socket.

    Attributes:
        heard_at: monotonic time at which the peer last said anything.
    """

    def __init__(self, channel: paramiko.Channel, gone: Callable[[], None]) -> None:
        """Takes the channel over.

        Args:
            channel: open.
            gone: called once when it is closed.
        """
        self.heard_at = time.monotonic()
        self._channel = channel
        self._gone: Callable[[], None] | None = gone
        self._closed = False  # paramiko asks for it, as sockets have it
        # Data behind a channel's close ends the jump host's whole connection (paramiko issues 1115 and 1705).
        self._mutex = threading.Lock()

    def recv(self, size: int) -> bytes:
        """As a socket's."""
        data = self._channel.recv(size)
        self.heard_at = time.monotonic()
        return data

    def send(self, data: bytes) -> int:
        """As a socket's; what does not fit now is sent by the next call."""
        with self._mutex:
            return self._channel.send(data)

    def settimeout(self, seconds: float | None) -> None:
        """As a socket's."""
        self._channel.settimeout(seconds)

    def close(self) -> None:
        """Close the channel, and the jump host's connection with the last."""
        self._closed = True
        self._channel.settimeout(0.0)
        with self._mutex:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self._channel.close()
            gone, self._gone = self._gone, None
        if gone is not None:
            gone()


def _forwarded(node: str, transport: Transport, jump: SshTarget, target: SshTarget) -> paramiko.Channel:
    where = f"{target.host} port {target.port}"
    try:
        return transport.open_channel(
            "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=target.connect_timeout
        )
    except paramiko.ChannelException as error:
        if error.code == _PROHIBITED:
            raise ConnectError(
                f"jump host {jump.host} does not forward to {where}",
                where=node,
                evidence=error.text,
                remedy="let it: AllowTcpForwarding yes in its sshd_config, PermitOpen for that address; or "
                f"go another way, with ProxyCommand in ~/.ssh/config: ssh {jump.host} nc %h %p",
                code="jump-host-forbids",
            ) from error
        raise ConnectError(
            f"jump host {jump.host} does not reach {where}",
            where=node,
            evidence=error.text,
            remedy=f"see from there: {jump.by_hand} nc -vz {target.host} {target.port}",
            code="unreachable",
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise ConnectError(
            f"{where} does not answer through jump host {jump.host} within {target.connect_timeout} s",
            where=node,
            evidence=str(error),
            remedy=f"see from there: {jump.by_hand} nc -vz {target.host} {target.port}",
            code="connect-timeout",
        ) from error


def _of_jump_host(error: ConnectError, node: str, jump: SshTarget | None = None) -> ConnectError:
    return error.but(what=f"jump host {jump.host}: {error.what}" if jump else error.what, where=node)
