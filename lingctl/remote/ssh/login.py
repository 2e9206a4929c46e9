"""From an address to a logged-in transport: connect, check the host key, offer keys."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import time
from pathlib import Path

import paramiko

from lingctl.errors import ConnectError, LingctlError
from lingctl.inventory.sections import Ssh
from lingctl.remote.ssh import quick_socket
from lingctl.remote.ssh.identity import login_keys
from lingctl.remote.ssh.known_hosts import KnownHosts
from lingctl.remote.ssh.watchdog import Watchdog

# Without this, transport threads print tracebacks to standard error.
_log = logging.getLogger("paramiko")
_log.addHandler(logging.NullHandler())
_log.propagate = False

_HANDSHAKE_SECONDS = 20.0
_BUSY_TRIES = 5
# A server that drops us does it at once; one that is slow for so long hangs.
_SILENT_SECONDS = 10.0
# AES-GCM needs no separate MAC, which paramiko computes in Python; group exchange costs 85 ms a connection.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
_SLOW_KEX = ("diffie-hellman-group",)
_watchdog = Watchdog()


def by_hand(host: str, settings: Ssh) -> str:
    """The login as one would type it, for a remedy."""
    return f"ssh -p {settings.port} {settings.user}@{host}"


def log_in(node: str, host: str, settings: Ssh) -> paramiko.Transport:
    """A transport to ``host`` that is logged in.

    Raises:
        ConnectError: it could not be reached, is not who it should be, or did not let us in.
    """
    return _Login(node, host, settings).connect()


class _Login:
    def __init__(self, node: str, host: str, settings: Ssh) -> None:
        self._node = node
        self._host = host
        self._settings = settings

    def connect(self) -> paramiko.Transport:
        """A transport that is logged in."""
        for attempt in range(_BUSY_TRIES):
            try:
                return self._connect_once()
            except _ServerBusyError as error:
                # sshd drops connections at random while many log in at once (MaxStartups).
                if attempt == _BUSY_TRIES - 1:
                    raise ConnectError(
                        "the SSH server ends the connection before saying anything",
                        where=self._node,
                        evidence=str(error),
                        remedy=f"try by hand: {self._by_hand} true",
                        code="ssh-no-banner",
                    ) from error
                time.sleep(random.uniform(0.1, 0.4) * 2**attempt)  # noqa: S311  (jitter, not a secret)
        raise AssertionError("unreachable")

    def _connect_once(self) -> paramiko.Transport:
        known_hosts = KnownHosts(Path(self._settings.known_hosts).expanduser())
        sock = self._open_socket()
        transport = paramiko.Transport(sock)
        transport._active_check_timeout = 1.0  # type: ignore[attr-defined]  # 0.1 s costs 9% of a core at 256 nodes
        _prefer(transport, known_hosts.key_types(self._host, self._settings.port))
        begun = time.monotonic()
        try:
            with _watchdog.guard(_HANDSHAKE_SECONDS, sock.close):
                self._handshake(transport, known_hosts)
        except LingctlError:
            transport.close()
            raise
        except (paramiko.SSHException, EOFError, OSError) as error:
            transport.close()
            raise self._handshake_error(error, time.monotonic() - begun) from error
        return transport

    @property
    def _by_hand(self) -> str:
        return by_hand(self._host, self._settings)

    def _open_socket(self) -> quick_socket.QuickSocket:
        host, port = self._host, self._settings.port
        try:
            return quick_socket.connect(host, port, self._settings.connect_timeout)
        except socket.gaierror as error:
            raise ConnectError(
                f"{host!r} is not a known name",
                where=self._node,
                evidence=str(error),
                remedy="correct the node's address in hosts.yaml, or give the name to DNS or /etc/hosts",
                code="unknown-host",
            ) from error
        except TimeoutError as error:
            raise ConnectError(
                f"{host} port {port} does not answer within {self._settings.connect_timeout} s",
                where=self._node,
                remedy=f"see whether it is up and no firewall is between: ping {host}; nc -vz {host} {port}",
                code="connect-timeout",
            ) from error
        except OSError as error:
            raise ConnectError(
                f"cannot connect to {host} port {port}: {error.strerror or error}",
                where=self._node,
                remedy=f"see whether its SSH server runs and the address is right: nc -vz {host} {port}",
                code="unreachable",
            ) from error

    def _handshake(self, transport: paramiko.Transport, known_hosts: KnownHosts) -> None:
        transport.start_client(timeout=_HANDSHAKE_SECONDS)
        known_hosts.check(self._host, self._settings.port, transport.get_remote_server_key(), self._node)
        keys = login_keys(self._settings.key, self._node)
        for key in keys:
            with contextlib.suppress(paramiko.AuthenticationException):
                transport.auth_publickey(self._settings.user, key)
            if transport.is_authenticated():
                return
        tried = ", ".join(f"{key.get_name()} {key.fingerprint}" for key in keys)
        raise ConnectError(
            f"{self._settings.user}@{self._host} does not accept our key",
            where=self._node,
            evidence=f"tried {tried}",
            remedy=f"ssh-copy-id -p {self._settings.port} {self._settings.user}@{self._host}",
            code="login-refused",
        )

    def _handshake_error(self, error: Exception, seconds: float) -> Exception:
        text = str(error)
        if seconds > _SILENT_SECONDS:
            return ConnectError(
                f"it takes connections on port {self._settings.port}, then says nothing for {seconds:.0f} s",
                where=self._node,
                evidence=text or type(error).__name__,
                remedy=f"it hangs, or something else listens there; try by hand: {self._by_hand} true",
                code="ssh-silent",
            )
        if "banner" in text or isinstance(error, EOFError):
            return _ServerBusyError(text)
        return ConnectError(
            "the SSH handshake failed",
            where=self._node,
            evidence=text or type(error).__name__,
            remedy=f"try by hand: {self._by_hand} -v true",
            code="handshake-failed",
        )


class _ServerBusyError(Exception):
    """The server closed the connection before its banner: worth another try."""


def _prefer(transport: paramiko.Transport, key_types: list[str]) -> None:
    options = transport.get_security_options()
    options.ciphers = tuple(c for c in _CIPHERS if c in options.ciphers)
    options.kex = tuple(k for k in options.kex if not k.startswith(_SLOW_KEX)) or options.kex
    wanted = ["rsa-sha2-512", "rsa-sha2-256"] if "ssh-rsa" in key_types else []
    wanted += key_types
    known = [name for name in wanted if name in options.key_types]
    options.key_types = (*known, *(name for name in options.key_types if name not in known))
