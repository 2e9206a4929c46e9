"""One node over SSH: a checked host key, key login, commands and small files, every wait bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from lingctl.errors import ConnectError, NodeError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.connection import Connection
from lingctl.remote.ssh.exchange import EndlessError, Exchange, NotRunError
from lingctl.remote.ssh.forward import ForwardedPort
from lingctl.remote.ssh.login.login import log_in
from lingctl.remote.ssh.not_run import not_run
from lingctl.remote.ssh.sessions import Sessions
from lingctl.remote.ssh.watchdog import Watchdog
from lingctl.remote.wire.sent import sent

_watchdog = Watchdog()


class SshConnection(Connection):
    """A logged-in connection to one node.

    At most four commands run at a time: sshd's MaxSessions is 10, and a slot is freed late.
    """

    def __init__(self, node: str, target: SshTarget) -> None:
        """Connect, check the host key and log in.

        Raises:
            ConnectError: any of that failed; the code tells which.
        """
        super().__init__(node)
        self._target = target
        self._slots = threading.BoundedSemaphore(4)
        self._sessions = Sessions(node, lambda: log_in(node, target))

    def forward(self, host: str, port: int) -> ForwardedPort:
        """A local address whose connections come out on the node, to ``host:port``, while the block runs."""
        return ForwardedPort(self._sessions.transport(), host, port, self._node)

    def close(self) -> None:
        """See ``Connection.close``."""
        self._sessions.close()

    def _run(
        self,
        command: Command,
        timeout: float,
        on_output: OutputListener | None,
        content: Iterator[bytes] | None,
    ) -> Completed:
        title = command.in_short
        # Whose turn has not come is not late: its time begins when it has a slot.
        with self._slots, self._bounded(timeout + 5, title):
            deadline = time.monotonic() + timeout
            with self._sessions.session() as channel:
                sent(self._node, command)
                try:
                    exchange = Exchange(channel, command, on_output, content, sudo=self._target.sudo)
                    return exchange.finish(deadline)
                except TimeoutError:
                    raise NodeError(
                        f"{title}: no end after {timeout:g} s", where=self._node, code="command-timeout"
                    ) from None
                except EndlessError:
                    raise NodeError(
                        f"{title}: it prints without end: more than 64 MB beyond what any answer has",
                        where=self._node,
                        code="output-endless",
                    ) from None
                except NotRunError as error:
                    raise not_run(title, str(error), self._target, self._node) from error
                finally:
                    channel.close()

    @contextmanager
    def _bounded(self, seconds: float, doing: str) -> Iterator[None]:
        """Turn a lost or silent connection into one kind of error, and never wait for longer."""
        silent = threading.Event()

        def give_up() -> None:
            silent.set()
            self._sessions.hang_up()

        try:
            with _watchdog.guard(seconds, give_up):
                yield
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            why = f"no answer for {seconds:g} s" if silent.is_set() else "the connection was lost"
            raise ConnectError(
                f"{doing}: {why}",
                where=self._node,
                evidence=str(error),
                remedy=f"see whether the machine is up: ping {self._target.host}",
                code="connection-lost",
            ) from error
