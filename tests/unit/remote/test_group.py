"""Work on many nodes side by side."""

from __future__ import annotations

import threading

from lingctl.errors import LingctlError, NodeError
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
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
