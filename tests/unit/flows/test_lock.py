"""Holding the lock while something is changed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from lingctl.errors import LockedError, NodeError
from lingctl.events import Event, ignore
from lingctl.flows.run import lock as run_lock
from lingctl.flows.run.lock import lock_release, lock_status, locked
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node, Paths
from lingctl.remote import lock
from lingctl.remote.local import LocalConnection

primary = LocalConnection("node1")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(
        name="ling",
        model="ling-lite",
        nodes=(Node(address="10.0.0.1", name="node1"),),
        paths=Paths(state=str(tmp_path)),
    )


def test_it_is_held_while_the_block_runs_and_free_afterwards(cluster: Cluster):
    with locked(primary, cluster, "lingctl deploy", ignore) as held:
        held.check()
        assert lock_status(primary, cluster) is not None
    assert lock_status(primary, cluster) is None


def test_it_is_free_after_a_failure(cluster: Cluster):
    with pytest.raises(NodeError), locked(primary, cluster, "lingctl deploy", ignore):
        raise NodeError("a step failed")
    assert lock_status(primary, cluster) is None


def test_the_second_is_refused_with_the_holder_and_what_to_type(cluster: Cluster):
    with locked(primary, cluster, "lingctl deploy", ignore):
        with pytest.raises(LockedError) as caught, locked(primary, cluster, "lingctl stop", ignore):
            pass
        assert caught.value.exit_status == 5
        assert "lingctl deploy by " in caught.value.evidence
        assert "lingctl lock release" in caught.value.remedy and "--lock-wait" in caught.value.remedy


def test_the_second_may_wait_for_the_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_lock, "_ASK_AGAIN_SECONDS", 0.05)
    heard: list[Event] = []
    entered, waits = threading.Event(), threading.Event()

    def hear(event: Event) -> None:
        heard.append(event)
        if "lingctl deploy by" in event.text:
            waits.set()

    def first() -> None:
        with locked(primary, cluster, "lingctl deploy", ignore):
            entered.set()
            waits.wait(20)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(5)
    with locked(primary, cluster, "lingctl stop", hear, wait=20):
        assert not thread.is_alive() or not thread.join(1)
    thread.join()
    assert any("lingctl deploy by" in event.text for event in heard)


def test_a_holder_is_told_that_its_lock_was_given_back(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)
    with locked(primary, cluster, "lingctl deploy", ignore) as held:
        holder = lock_status(primary, cluster)
        assert holder is not None
        lock_release(primary, cluster, holder)
        deadline = time.monotonic() + 5
        with pytest.raises(LockedError) as caught:
            while time.monotonic() < deadline:
                held.check()
                time.sleep(0.02)
        assert caught.value.code == "lock-lost"
