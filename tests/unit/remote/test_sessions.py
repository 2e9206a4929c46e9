"""The session of the next command is opened while one runs, and stands in nobody's way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import paramiko
import pytest

from lingctl.remote.ssh.sessions import Sessions

WAIT = 20


@dataclass
class Channel:
    number: int
    closed: bool = False


@dataclass
class Server:
    """A connection that gives sessions, no more than ``most`` at a time that are not over."""

    most: int = 10
    given: list[Channel] = field(default_factory=list)
    refused: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def open_session(self, timeout: float) -> Channel:
        with self.changed:
            self.changed.notify_all()
            if sum(not channel.closed for channel in self.given) >= self.most:
                self.refused += 1
                raise paramiko.ChannelException(1, "Administratively prohibited")
            self.given.append(Channel(len(self.given)))
            return self.given[-1]

    def is_active(self) -> bool:
        return True

    def close(self) -> None: ...

    def until(self, holds: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, WAIT)


def sessions(server: Server) -> Sessions:
    return Sessions("node1", lambda: server)


def ran(of: Sessions, during: Callable[[], None] = lambda: None) -> int:
    """The number of the session that a command had."""
    with of.session() as channel:
        during()
        channel.closed = True
        return channel.number


def test_the_next_command_has_the_session_that_was_opened_ahead():
    server = Server()
    of = sessions(server)
    assert ran(of, lambda: server.until(lambda: len(server.given) == 2)) == 0
    assert ran(of, lambda: server.until(lambda: len(server.given) == 3)) == 1


def test_one_that_the_server_closed_meanwhile_is_not_used():
    server = Server()
    of = sessions(server)
    ran(of, lambda: server.until(lambda: len(server.given) == 2))
    server.given[1].closed = True
    assert ran(of) == 2


def test_a_server_of_one_session_refuses_it_once_and_runs_every_command():
    server = Server(most=1)
    of = sessions(server)
    assert ran(of, lambda: server.until(lambda: server.refused == 1)) == 0
    assert [ran(of) for _ in range(3)] == [1, 2, 3]
    assert server.refused == 1


@pytest.mark.parametrize("most", [2, 3])
def test_it_takes_no_session_from_a_command(most: int):
    server = Server(most=most)
    of = sessions(server)
    with of.session() as first:
        server.until(lambda: len(server.given) == 2)
        with of.session() as second:
            assert {first.number, second.number} == {0, 1}
            assert len(server.given) == 2
