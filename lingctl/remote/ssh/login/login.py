"""From a target to a logged-in transport: connect, check the host key, offer keys."""

from __future__ import annotations

import random
import time

import paramiko

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.algorithms import offer_to
from lingctl.remote.ssh.login.authentication import Authentication, RefusedError
from lingctl.remote.ssh.login.host_keys.host_key import check_host_key, known_kinds
from lingctl.remote.ssh.login.host_keys.known_hosts import read_known_hosts
from lingctl.remote.ssh.login.keys.login_keys import find_login_keys
from lingctl.remote.ssh.login.refusals import no_common_algorithm, refusal
from lingctl.remote.ssh.login.roads.jump_hosts import JumpHosts
from lingctl.remote.ssh.login.roads.proxy_command import ProxyCommand
from lingctl.remote.ssh.login.roads.road import open_road, proxy_ended
from lingctl.remote.ssh.login.transport import Transport
from lingctl.remote.ssh.watchdog import Watchdog

_HANDSHAKE_SECONDS = 20.0
# A person may have to touch a security key; each answer of the server has a limit of its own.
_LOGIN_SECONDS = 180.0
_BUSY_TRIES = 5
# A server that drops us does it at once; one that is slow for so long hangs.
_SILENT_SECONDS = 10.0
_watchdog = Watchdog()


def log_in(node: str, target: SshTarget) -> Transport:
    """A transport that is logged in.

    Raises:
        ConnectError: it could not be reached, is not who it should be, or did not let us in.
    """
    try:
        return _Login(node, target).connect()
    except ConnectError as error:
        raise _with_origin(error, target) from error


class _Login:
    def __init__(self, node: str, target: SshTarget) -> None:
        self._node = node
        self._target = target

    def connect(self) -> Transport:
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
                        remedy=f"try by hand: {self._target.by_hand} true\n"
                        "it may be told to: MaxStartups or PerSourcePenalties in its sshd_config, fail2ban, "
                        "hosts.deny",
                        code="ssh-no-banner",
                    ) from error
                time.sleep(random.uniform(0.1, 0.4) * 2**attempt)  # noqa: S311  (jitter, not a secret)
        raise AssertionError("unreachable")

    def _connect_once(self) -> Transport:
        target = self._target
        known = read_known_hosts((*target.known_hosts, *target.global_known_hosts))
        offer = offer_to(target, known_kinds(known, target))
        sock = open_road(self._node, target, _jump_hosts)
        transport = Transport(sock, offer)
        try:
            begun = time.monotonic()
            try:
                with _watchdog.guard(_HANDSHAKE_SECONDS, sock.close):
                    transport.start_client(timeout=_HANDSHAKE_SECONDS)
                    if not transport.shown_key:
                        raise EOFError("the handshake did not end")
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise self._handshake_error(error, time.monotonic() - begun, transport) from error
            check_host_key(known, target, transport.shown_key, self._node)
            with _watchdog.guard(_LOGIN_SECONDS, sock.close):
                self._authenticate(transport, offer.login_keys)
        except BaseException:
            transport.close()
            raise
        return transport

    def _authenticate(self, transport: Transport, algorithms: tuple[str, ...]) -> None:
        keys = find_login_keys(self._target, self._node)
        begun = time.monotonic()
        try:
            authentication = Authentication(transport, self._target.user, algorithms)
            authentication.log_in(keys.found)
        except RefusedError as error:
            said = (transport.last_words, authentication.notice)
            raise refusal(error.offered, keys, self._target, said, self._node) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            seconds = time.monotonic() - begun
            raise ConnectError(
                f"the login broke off after {seconds:.0f} s",
                where=self._node,
                evidence=transport.last_words or str(error) or type(error).__name__,
                remedy=f"try by hand: {self._target.by_hand} -v true",
                code="login-broken",
            ) from error

    def _handshake_error(self, error: Exception, seconds: float, transport: Transport) -> Exception:
        # A program that the connection goes through knows best why it ended.
        text = transport.last_words or getattr(transport.sock, "last_words", "") or str(error)
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            return no_common_algorithm(text, transport, self._target, self._node)
        if isinstance(transport.sock, ProxyCommand):
            return proxy_ended(text, self._target, self._node)
        if seconds > _SILENT_SECONDS:
            return ConnectError(
                f"it takes connections on port {self._target.port}, then says nothing for {seconds:.0f} s",
                where=self._node,
                evidence=text or type(error).__name__,
                remedy=f"it hangs, or something else listens there; try by hand: {self._target.by_hand} true",
                code="ssh-silent",
            )
        if "banner" in text or isinstance(error, EOFError | ConnectionError):
            return _ServerBusyError(text)
        return ConnectError(
            "the SSH handshake failed",
            where=self._node,
            evidence=text or type(error).__name__,
            remedy=f"try by hand: {self._target.by_hand} -v true",
            code="handshake-failed",
        )


def _with_origin(error: ConnectError, target: SshTarget) -> ConnectError:
    """The error, with the lines of ssh's configuration that counted."""
    origin = [f"{place}: {keyword} {value}" for keyword, value, place in target.taken]
    lines = [error.evidence, *(line for line in (*origin, *target.notes) if line not in error.evidence)]
    return error.but(evidence="\n".join(line for line in lines if line))


_jump_hosts = JumpHosts(log_in)


class _ServerBusyError(Exception):
    """The server closed the connection before its banner: worth another try."""
