"""Two nodes with two ranks (TP 2), each part killed in turn.

In this order each start is paid once; a test that is run alone starts its own.
"""

from __future__ import annotations

import urllib.request

import pytest

from tests.sandbox.live import Live
from tests.vllm.watching import ENGINE, PARENT, WORKER, kill, processes, status


@pytest.fixture(scope="module")
def deployed(two_nodes: Live):
    result = two_nodes.lingctl("deploy", "--yes", "--json")
    assert result.status == 0, result.said
    return two_nodes, result


def health(live: Live) -> int:
    """What the first node says of itself."""
    with urllib.request.urlopen(f"http://{live.address('node1')}:1025/health", timeout=30) as answer:
        return int(answer.status)


def told(live: Live) -> dict[str, tuple[str, bool]]:
    """What status tells of each node: its daemon, and whether all is well."""
    return {node["node"]: (node["daemon"], node["healthy"]) for node in status(live)["nodes"]}


def problems(live: Live, name: str) -> list[str]:
    """What status finds wrong on a node."""
    found: list[str] = next(node for node in status(live)["nodes"] if node["node"] == name)["problems"]
    return found


def test_two_ranks_on_two_nodes_answer(deployed):
    live, result = deployed
    assert "Ling" in result.document["answer"]
    assert told(live) == {"node1": ("running", True), "node2": ("running", True)}
    assert not any(ENGINE in title for title in processes(live, "node2"))


def test_a_second_deploy_finds_nothing_to_do(deployed):
    live, _ = deployed
    again = live.lingctl("deploy", "--yes", "--json")
    assert again.status == 0, again.said
    assert again.document["plan"]["empty"]


def test_a_killed_parent_is_told_while_its_orphan_goes_on_serving(deployed):
    live, _ = deployed
    kill(live, "node2", PARENT)
    live.until("node2", "test -s /var/lib/lingctl/sandbox/run/daemon.exit")
    assert any(WORKER in title for title in processes(live, "node2"))
    assert health(live) == 200
    states = told(live)
    assert states["node2"][0] == "dead" and not any(healthy for _, healthy in states.values())
    assert "processes of it are left, which hold cards and may serve on: 2" in problems(live, "node2")
    assert "do not rely on it: node2 is lost, its daemon is dead" in problems(live, "node1")


def test_a_killed_worker_is_told_while_the_first_node_says_that_it_is_healthy(deployed):
    live, _ = deployed
    kill(live, "node2", WORKER)
    assert health(live) == 200
    assert not any(healthy for _, healthy in told(live).values())
    assert live.lingctl("smoke-test").status != 0


def test_a_restart_ends_what_is_left_and_serves_again(deployed):
    live, _ = deployed
    again = live.lingctl("restart", "--yes")
    assert again.status == 0, again.said
    assert told(live) == {"node1": ("running", True), "node2": ("running", True)}
    assert sum(WORKER in title for node in ("node1", "node2") for title in processes(live, node)) == 2


def test_a_killed_first_rank_is_told_and_a_stop_ends_the_one_that_waits_for_it(deployed):
    live, _ = deployed
    kill(live, "node1", PARENT)
    live.until("node1", "test -s /var/lib/lingctl/sandbox/run/daemon.exit")
    assert not any(healthy for _, healthy in told(live).values())
    waits = "it waits for node1 and will not end by itself: node1 is lost, its daemon is dead"
    assert waits in problems(live, "node2")
    assert processes(live, "node2")
    stopped = live.lingctl("stop", "--yes")
    assert stopped.status == 0, stopped.said
    assert [title for node in ("node1", "node2") for title in processes(live, node)] == []
