"""What status says is to be typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lingctl.flows.look.status.cluster_status import NodeStatus
from lingctl.flows.look.status.problems import HALF_DONE
from lingctl.flows.look.status.remedy import what_to_type

WELL = NodeStatus(
    "node1", True, "running", "running", 9, "r", "as shipped", (1025, 1026), {0: 50000}, "ready", ()
)
OTHER = replace(WELL, node="node2", service="-", ports=())


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (NodeStatus("node2", False, problems=("no route",)), "bring node2 back"),
        (replace(OTHER, daemon="unknown"), "container runtime"),
        (replace(OTHER, daemon="loading"), "lingctl logs -f"),
        (replace(OTHER, daemon="dead", problems=("the daemon ended",)), "lingctl deploy"),
        (replace(OTHER, daemon="stopped", container="exited", problems=("it is exited",)), "lingctl deploy"),
        (replace(OTHER, problems=("half-done, or under way",)), "lingctl deploy"),
        (replace(OTHER, problems=("card 3: Alarm",)), "lingctl check-network"),
        (replace(OTHER, processes=None), "lingctl smoke-test"),
        (replace(OTHER, service="no tokens", problems=("it gives no text",)), "lingctl restart"),
    ],
)
def test_every_unhealthy_node_has_something_to_type(bad, said):
    assert said in what_to_type([WELL, bad])


def test_a_change_that_may_be_under_way_is_looked_at_before_it_is_done_again():
    half = replace(OTHER, problems=(f"{HALF_DONE} (lingctl lock status): lingctl deploy by ops",))
    assert what_to_type([WELL, half]).startswith("lingctl lock status tells whether somebody is at it")
    also_bad = replace(half, problems=(*half.problems, "another release than node1"))
    assert what_to_type([WELL, also_bad]) == "lingctl deploy"


def test_a_service_that_is_not_judged_wants_all_nodes_to_be_asked():
    some = replace(WELL, service="not judged")
    assert what_to_type([some]).endswith("when all nodes are asked: lingctl status")
    assert what_to_type([replace(some, problems=("card 3: Alarm",))]) == "lingctl check-network"


def test_a_lost_node_means_that_all_start_again():
    lost = replace(WELL, service="node lost", problems=("do not rely on it",))
    dead = replace(OTHER, daemon="dead", problems=("the daemon ended",))
    assert "lingctl restart" in what_to_type([lost, dead])


def test_of_a_healthy_cluster_nothing_is_said():
    assert what_to_type([WELL, OTHER]) == ""
