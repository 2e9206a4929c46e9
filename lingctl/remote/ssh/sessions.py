"""Sessions for commands on one node: as many at a time as we want, on as many connections as it takes.

sshd allows a number of sessions on a connection (MaxSessions: 10 by default, 1 when hardened, 0 for none),
and frees one a little late. Where there is no room, another connection is made, as ssh does for each command.
One that the server ended while nothing ran on it (UnusedConnectionTimeout) is made anew.

While a command runs, the session of the next is opened, for that takes a round trip of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

import paramiko

from lingctl.errors import ConnectError
from lingctl.remote.side_by_side import begun
from lingctl.remote.ssh.login.transport import Transport

_OPEN_SECONDS = 15.0
# A session's slot is freed a little after its end.
_PAUSES = (0.05, 0.2, 0.8)


@dataclass(slots=True, eq=False)
class _Line:
    """One connection."""

    transport: Transport  # logged in
    running: int = 0  # sessions on it
    most: int | None = None  # how many it had when it refused another, if it did
    spare: Future[paramiko.Channel] | None = None  # a session for the next command, opened or being opened
    spares: bool = True  # whether it may have one: false once the server refused it

    @property
    def has_room(self) -> bool:
        return self.transport.is_active() and (self.most is None or self.running < self.most)


class Sessions:
    """The connections to one node, all logged in alike."""

    def __init__(self, node: str, log_in: Callable[[], Transport]) -> None:
        """Connect for the first time.

        Raises:
            ConnectError: see ``log_in``.
        """
        self._node = node
        self._log_in = log_in
        self._lock = threading.Lock()
        self._closed = False
        self._lines = [_Line(log_in())]

    @contextmanager
    def session(self) -> Iterator[paramiko.Channel]:
        """A new session while the block runs.

        Raises:
            ConnectError: the server gives none, or cannot be logged in to again.
            SSHException: the connection was lost.
        """
        while True:
            line = self._take()
            try:
                channel = self._spare(line) or self._opened(line)
                if channel is not None:
                    self._open_spare(line)
                    yield channel
                    return
                self._note_full(line)
            finally:
                self._give_back(line)

    def transport(self) -> Transport:
        """A connection, for tunnels."""
        line = self._take()
        self._give_back(line)
        return line.transport

    def hang_up(self) -> None:
        """End what runs; a later command connects anew."""
        for line in list(self._lines):
            line.transport.close()

    def close(self) -> None:
        """Close every connection, for good."""
        self._closed = True
        self.hang_up()

    def _take(self) -> _Line:
        with self._lock:
            if self._closed:
                raise paramiko.SSHException("the connection was closed")
            self._lines = [line for line in self._lines if line.running or line.transport.is_active()]
            for line in self._lines:
                if line.has_room:
                    line.running += 1
                    return line
        line = _Line(self._log_in(), running=1)
        with self._lock:
            self._lines.append(line)
        if self._closed:
            line.transport.close()
        return line

    def _give_back(self, line: _Line) -> None:
        with self._lock:
            line.running -= 1

    def _spare(self, line: _Line) -> paramiko.Channel | None:
        """The session that was opened ahead; None where there is none, or not any more."""
        with self._lock:
            spare, line.spare = line.spare, None
        if spare is None:
            return None
        try:
            channel = spare.result(_OPEN_SECONDS)
        except (paramiko.SSHException, EOFError, TimeoutError):
            line.spares = False
            return None
        return None if channel.closed else channel

    def _open_spare(self, line: _Line) -> None:
        """Begin to open one, where it stands in nobody's way."""
        with self._lock:
            if line.spare is not None or not line.spares or line.running > 1 or line.most is not None:
                return
            line.spare = begun(lambda: line.transport.open_session(timeout=_OPEN_SECONDS), "lingctl-spare")

    def _opened(self, line: _Line) -> paramiko.Channel | None:
        """A channel, or None where the connection has as many as it may."""
        for pause in (*_PAUSES, None):
            try:
                return line.transport.open_session(timeout=_OPEN_SECONDS)
            except paramiko.SSHException as error:
                if not _is_refusal(error, line.transport):
                    raise
                if pause is None or (line.running > 1 and pause > _PAUSES[0]):
                    return None
                time.sleep(pause)
        return None

    def _note_full(self, line: _Line) -> None:
        with self._lock:
            others = line.running - 1
            line.most = max(1, others)
        if not others:
            raise ConnectError(
                "the SSH server opens no session for commands", where=self._node, code="no-session"
            )


def _is_refusal(error: paramiko.SSHException, transport: Transport) -> bool:
    """Of several refused at a time, paramiko tells the reason to one and nothing to the others."""
    if isinstance(error, paramiko.ChannelException):
        return True
    return transport.is_active() and "Unable to open channel" in str(error)
