"""Which ports of the others a node can reach, asked here by the real programs."""

from __future__ import annotations

import resource
import socket
import subprocess

from lingctl.ascend.reach import reach_command, read_reach
from lingctl.remote.probe import Answer


def _asked(targets: list[tuple[str, int]], files: int = 1024) -> object:
    done = subprocess.run(
        ["sh", "-c", reach_command(targets, 0.2).text],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
    )
    return read_reach(Answer(done.stdout, done.stderr, done.returncode))


def test_what_listens_is_told_from_what_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        places = [open_.getsockname(), closed.getsockname()]
        assert _asked(places) == {places[0]: "connected", places[1]: "refused"}


def test_more_silent_ports_than_a_process_may_have_open_are_all_told() -> None:
    # Beyond what it has room for, the kernel drops what wants to connect, as a firewall would.
    with socket.create_server(("0.0.0.0", 0), backlog=1) as full:
        places = [(f"127.0.{n // 200}.{n % 200 + 1}", full.getsockname()[1]) for n in range(1300)]
        told = _asked(places, 600)
        assert isinstance(told, dict) and set(told) == set(places)
        assert {*told.values()} <= {"connected", "silent"} and [*told.values()].count("silent") > 1200
