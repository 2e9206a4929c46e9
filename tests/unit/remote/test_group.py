"""Work on many nodes side by side."""

from __future__ import annotations

import threading
import time

import pytest

from lingctl.errors import ConnectError, InternalError, LingctlError, LockedError, NodeError
from lingctl.remote.command import script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group, raise_failures
from lingctl.remote.local import LocalConnection

NODES = [f"node{number}" for number in range(70)]


def group() -> Group:
    return Group({name: LocalConnection(name) for name in NODES})


def test_work_that_waits_for_the_other_nodes_runs_on_all_of_them_at_once():
    everyone = threading.Barrier(len(NODES), timeout=20)

    def work(connection: Connection) -> str:
        everyone.wait()
        return connection.node

    assert group().all(work, together=True) == {name: name for name in NODES}
    assert group().map(work, together=True) == {name: name for name in NODES}


def test_short_work_is_done_on_64_nodes_at_a_time():
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Event()

    def work(connection: Connection) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 64:
                full.set()
        full.wait(20)
        with lock:
            running -= 1
        return connection.node

    assert list(group().map(work)) == NODES
    assert most == 64


def test_one_nodes_failure_keeps_the_others_outcomes():
    def work(connection: Connection) -> str:
        if connection.node == "node69":
            raise NodeError("broken", where=connection.node, code="command-failed")
        return connection.node

    outcomes = group().map(work, together=True)
    assert isinstance(outcomes.pop("node69"), LingctlError)
    assert outcomes == {name: name for name in NODES[:-1]}


def test_no_node_is_no_work():
    assert Group({}).map(lambda connection: connection.node, together=True) == {}


HOURS = script("sleep 7200")


@pytest.mark.parametrize("defect", [KeyError("x"), MemoryError(), AssertionError("never"), RecursionError()])
def test_a_defect_in_one_nodes_work_is_told_at_once_and_ends_the_others(defect: Exception):
    begun = threading.Barrier(3, timeout=20)

    def work(connection: Connection) -> str:
        begun.wait()
        if connection.node == "node2":
            raise defect
        return connection.run(HOURS, timeout=7200).stdout

    nodes = {name: LocalConnection(name) for name in ("node1", "node2", "node3")}
    began = time.monotonic()
    with pytest.raises(InternalError) as caught:
        Group(nodes).map(work, together=True)
    assert time.monotonic() - began < 60  # of hours
    error = caught.value
    assert (error.where, error.code, error.exit_status) == ("node2", "internal", 1)
    assert type(defect).__name__ in error.what and "test_group.py" in error.evidence
    assert "ended for it in the middle: the work on node1, node3" in error.evidence
    assert error.__cause__ is defect


def test_a_defect_in_work_that_nothing_can_end_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lingctl.remote.side_by_side._GRACE_SECONDS", 0.2)
    free = threading.Event()

    def work(connection: Connection) -> None:
        if connection.node == "node1":
            raise ZeroDivisionError
        free.wait(600)

    with pytest.raises(InternalError):
        group().map(work)
    free.set()


def test_nodes_whose_turn_has_not_come_are_not_begun_after_a_defect():
    begun: list[str] = []
    full = threading.Barrier(64, timeout=60)

    def work(connection: Connection) -> None:
        begun.append(connection.node)
        full.wait()
        if connection.node == "node0":
            raise ZeroDivisionError
        connection.run(HOURS, timeout=7200)

    with pytest.raises(InternalError) as caught:
        group().map(work)
    assert len(begun) == 64 and "not begun: the work on node64, node65" in caught.value.evidence


def test_an_interrupt_in_a_nodes_work_is_one_of_the_whole():
    def work(connection: Connection) -> None:
        if connection.node == "node1":
            raise KeyboardInterrupt
        connection.run(HOURS, timeout=7200)

    with pytest.raises(KeyboardInterrupt):
        group().map(work, together=True)


@pytest.mark.parametrize("kind", [LockedError, ConnectError, NodeError])
def test_the_same_trouble_on_all_nodes_keeps_its_exit_status(kind: type[LingctlError]):
    failures = {name: kind("no", where=name) for name in ("node1", "node2")}
    with pytest.raises(kind) as caught:
        raise_failures(failures)
    assert caught.value.exit_status == kind.exit_status and caught.value.where == "node1, node2"
    with pytest.raises(NodeError):
        raise_failures({**failures, "node3": LingctlError("other")})
