"""Which node is named when a start fails, and what is said of it."""

from __future__ import annotations

from lingctl.flows.watch_start import DaemonSight, death
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1", "node2")
MEMORY = "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity)"
LOST = "EI0006 wait socket establish timeout, role[0] rank[0] timeout[120 s]"


def gone(console: str = "", status: str = "137") -> DaemonSight:
    return DaemonSight(False, status, console)


def test_the_node_that_failed_first_is_named_with_its_card():
    error = death(CLUSTER, {"node1": gone(LOST), "node2": gone(MEMORY)}, {})
    assert error.where == "node2, card 3"
    assert error.code == "mindie-C1"
    assert "a card's memory is full" in error.what and "137" in error.what
    assert error.evidence.splitlines() == [MEMORY, "node1: two cards did not reach each other in time"]
    assert "capacity" in error.remedy and "lingctl collect" in error.remedy


def test_the_cause_may_stand_in_another_log_than_the_console():
    error = death(CLUSTER, {"node1": gone("loading"), "node2": gone("loading")}, {"node2": MEMORY})
    assert (error.where, error.code) == ("node2, card 3", "mindie-C1")
    assert "node1: ended without a known error" in error.evidence


def test_an_unknown_death_shows_its_first_errors_and_what_the_status_means():
    error = death(CLUSTER, {"node1": gone("a\n[ERROR] odd\nb"), "node2": DaemonSight(True, "", "")}, {})
    assert (error.where, error.evidence, error.code) == ("node1", "[ERROR] odd", "daemon-died")
    assert "killed" in error.what and "no error that is known" in error.what


def test_a_cause_on_a_node_that_still_runs_is_found():
    error = death(CLUSTER, {"node1": gone(LOST), "node2": DaemonSight(True, "", MEMORY)}, {})
    assert error.where == "node2, card 3"
    assert "is in trouble" in error.what
