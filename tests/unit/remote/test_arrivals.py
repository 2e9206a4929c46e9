"""Nodes that are still being logged in to: who needs one waits for that one alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lingctl.errors import ConnectError, InternalError
from lingctl.inventory.load import load_cluster
from lingctl.remote.arrivals import Arrivals
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group, connect
from lingctl.remote.local import LocalConnection

SECONDS = 20


class Closing(LocalConnection):
    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_what_is_asked_of_one_node_does_not_wait_for_another() -> None:
    worked = threading.Event()

    def reach(name: str) -> Connection:
        if name == "late":
            assert worked.wait(SECONDS)
        return LocalConnection(name)

    def work(connection: Connection) -> str:
        worked.set()
        return connection.node

    group = Group({}, {}, Arrivals(reach, ["late", "soon"], workers=2))
    assert group.map(work) == {"late": "late", "soon": "soon"}


def test_a_node_that_lets_nobody_in_has_its_error_each_time() -> None:
    def reach(name: str) -> Connection:
        raise ConnectError("no", where=name)

    group = Group({}, {}, Arrivals(reach, ["node1"], workers=1))
    for _ in range(2):
        assert isinstance(group.map(lambda connection: connection)["node1"], ConnectError)
    with pytest.raises(ConnectError):
        group["node1"]
    assert [*group.map(lambda connection: connection)] == ["node1"] and not group.connections


def test_a_defect_in_a_login_is_told_as_one() -> None:
    def reach(name: str) -> Connection:
        raise ZeroDivisionError(name)

    with pytest.raises(InternalError):
        Group({}, {}, Arrivals(reach, ["node1"], workers=1)).await_all()


def test_the_end_frees_who_waits_and_closes_what_comes_late() -> None:
    begun, free, late = threading.Event(), threading.Event(), Closing("late")

    def reach(name: str) -> Connection:
        begun.set()
        assert free.wait(SECONDS)
        return late

    group = Group({}, {}, Arrivals(reach, ["late", "never"], workers=1))
    assert begun.wait(SECONDS)
    group.close()
    for name in ("late", "never"):
        with pytest.raises(ConnectError):
            group[name]
    free.set()
    assert late.closed.wait(SECONDS)


@pytest.mark.parametrize(("config", "at_once"), [("", 32), ("Host *\n  ProxyCommand nc %h %p\n", 8)])
def test_as_many_nodes_log_in_at_once_as_their_way_allows(
    config: str, at_once: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Event()

    class Slow(LocalConnection):
        def __init__(self, node: str, _target: object) -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == at_once:
                    full.set()
            assert full.wait(SECONDS)
            with lock:
                running -= 1
            super().__init__(node)

    monkeypatch.setattr("lingctl.remote.ssh.node.SshConnection", Slow)
    file = tmp_path / "config"
    file.write_text(config)
    hosts = tmp_path / "hosts.yaml"
    nodes = "".join(f"  - {{name: n{number}, address: 192.0.2.{number}}}\n" for number in range(1, 41))
    hosts.write_text(f"name: many\nmodel: Ling-lite\nssh: {{config: {file}}}\nnodes:\n{nodes}")
    with connect(load_cluster(hosts)) as group:
        assert len(group.connections) == 40
    assert most == at_once
