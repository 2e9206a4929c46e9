"""Looking again and again: connections are kept while all answer, and made anew once one did not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest

from lingctl.flows.look.status import watch
from lingctl.flows.look.status.cluster_status import NodeStatus
from lingctl.flows.look.status.watch import looks
from lingctl.remote.group import Group
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1", "node2")
THERE, GONE = NodeStatus("node2", True), NodeStatus("node2", False)


def test_a_node_that_could_not_be_asked_is_connected_anew(monkeypatch: pytest.MonkeyPatch):
    told, done = iter([THERE, GONE, THERE, THERE]), list[str]()

    @contextmanager
    def connect(_: object, *, only: tuple[str, ...]) -> Iterator[Group]:
        done.append(f"connect {only}")
        yield Group({})
        done.append("close")

    def cluster_status(*_: object) -> list[NodeStatus]:
        done.append("look")
        return [NodeStatus("node1", True), next(told)]

    monkeypatch.setattr(watch, "connect", connect)
    monkeypatch.setattr(watch, "cluster_status", cluster_status)
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: done.append(f"wait {seconds}"))
    seen = [rows[1].reached for rows in islice(looks(CLUSTER, ("node2",), 5), 4)]
    assert seen == [True, False, True, True]
    begun = "connect ('node2',)"
    assert done[:9] == [begun, "look", "wait 5", "look", "wait 5", "close", begun, "look", "wait 5"]
