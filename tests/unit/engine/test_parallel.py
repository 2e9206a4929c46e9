"""How 3.0.0 cuts a model, rule by rule; the captured cases are named, the rest is its source's arithmetic."""

from __future__ import annotations

import pytest

from lingctl.sandbox.engine.settings.parallel import (
    Aborted,
    Place,
    check_plan,
    mapping_fault,
    plan_executors,
    sizes_of,
)

MASTER, FOLLOWER = Place(1, 2, 0), Place(1, 2, 1)


def test_sizes_may_be_numbers_or_text():
    model = {"tp": 2, "dp": "4", "cp": None, "sp": True, "pp": "x", "worldSize": 8}
    assert sizes_of(model) == {"tp": 2, "dp": 4}


def test_one_node_without_sizes_is_one_group_of_all_its_cards():
    plan = plan_executors({}, Place(8))
    assert (plan.groups, plan.group_cards, plan.remote, plan.registers) == (1, 8, -1, False)


def test_one_node_with_data_parallel_groups():
    plan = plan_executors({"tp": 2, "dp": 4}, Place(8))
    assert (plan.groups, plan.group_cards, plan.registers) == (4, 2, False)


@pytest.mark.parametrize("place", [MASTER, FOLLOWER])
def test_two_nodes_with_tp_of_all_cards_register(place):
    """Captured: a good start."""
    plan = plan_executors({"tp": 2}, place)
    assert (plan.groups, plan.group_cards, plan.remote, plan.registers) == (1, 2, 0, True)
    check_plan(plan, {"tp": 2}, place)


@pytest.mark.parametrize("sizes", [{}, {"tp": 1}])
def test_two_nodes_whose_tp_stays_on_a_node_abort_the_master_alone(sizes):
    """Captured: no tp, and tp 1."""
    for place in (MASTER, FOLLOWER):
        plan = plan_executors(sizes, place)
        assert plan.error == "Invalid DP number per node: 0"
        assert not plan.registers
    check_plan(plan, sizes, FOLLOWER)
    with pytest.raises(Aborted) as caught:
        check_plan(plan, sizes, MASTER)
    assert caught.value.signal == 6
    assert caught.value.words[1] == "  what():  unordered_map::at"


def test_a_dp_below_the_number_of_nodes_divides_by_nought():
    sizes = {"dp": 1}
    with pytest.raises(Aborted) as caught:
        check_plan(plan_executors(sizes, MASTER), sizes, MASTER)
    assert (caught.value.signal, caught.value.words) == (8, ())


def test_data_parallel_groups_over_two_nodes():
    sizes = {"tp": 8, "dp": 2}
    assert plan_executors(sizes, Place(8, 2, 0)).remote == -1
    follower = plan_executors(sizes, Place(8, 2, 1))
    assert (follower.remote, follower.registers, follower.groups) == (1, True, 1)


FAULTS = [
    ({}, 8, 1, ""),
    ({"tp": 8}, 8, 1, ""),
    ({"tp": 16}, 16, 2, ""),
    ({"tp": 8, "dp": 2, "moe_tp": 16}, 16, 2, ""),
    ({"tp": 4, "dp": 2, "moe_tp": 2, "moe_ep": 4}, 8, 1, ""),
    ({"tp": 4, "pp": 2}, 8, 1, ""),
    ({}, 1, 2, "World size should be multiple of the number of nodes"),
    ({"tp": 1}, 2, 2, "World size must equal to attention's dp_size * attention's cp_size"),
    ({"tp": 2}, 8, 1, "World size must equal to attention's dp_size * attention's cp_size"),
    ({"cp": 2, "dp": 2, "tp": 2}, 8, 1, "cannot support context parallel and data parallel simultaneously"),
    ({"pp": 2, "dp": 2, "tp": 2}, 8, 1, "cannot support data parallel and pipeline parallel simultaneously"),
    ({"pp": 2, "tp": 2}, 8, 1, "World size must equal to attention's tp_size * pp_size"),
    ({"tp": 4, "dp": 2}, 8, 1, "World size must equal to MoE's tp_size"),
    (
        {"tp": 8, "dp": 2, "moe_tp": 16, "moe_ep": 1},
        16,
        4,
        "Attention's tp_size should be no greater than local",
    ),
    ({"tp": 4, "dp": 2, "moe_tp": 4, "moe_ep": 4}, 8, 1, "World size must equal to MoE's ep_size"),
    ({"tp": 8, "sp": 4}, 8, 1, "Attention's sp_size must equal to attention's tp_size"),
]


@pytest.mark.parametrize(("sizes", "world", "nodes", "words"), FAULTS)
def test_what_a_worker_makes_of_the_sizes(sizes, world, nodes, words):
    fault = mapping_fault(sizes, world, nodes)
    assert words in fault
    assert bool(fault) == bool(words)
    assert not fault or fault.startswith("ValueError: ")
