"""When a node counts as well: what is unknown, missing or not to be seen never does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lingctl.ascend.npu_smi import Chip, NpuTable
from lingctl.flows.status import NodeStatus, _card_problems, _problems, _Seen
from lingctl.flows.watch_start import DaemonSight
from lingctl.release.daemon import SUCCESS
from tests.unit.release.conftest import cluster_of, deployed, releases_of

CLUSTER = cluster_of("node1")
WELL = NodeStatus(
    "node1",
    True,
    "running",
    "running",
    9,
    "20260101-000000-aaaa",
    "as shipped",
    (1025, 1026),
    {0: 50_000},
    "ready",
)


def table(*chips: Chip) -> NpuTable:
    return NpuTable("23.0", "23.0", chips, (), True)


def chip(card: int, health: str = "OK", used: int | None = 50_000) -> Chip:
    return Chip(card, 0, None, "910B", health, "0000:C1:00.0", used, 65_536)


def test_all_known_and_good_is_well():
    assert WELL.healthy


@pytest.mark.parametrize("unknown", [{"processes": None}, {"ports": None}, {"memory": None}, {"memory": {}}])
def test_what_could_not_be_read_is_never_taken_for_well(unknown: dict[str, None]):
    assert not replace(WELL, **unknown).healthy


def test_a_card_that_npu_smi_does_not_show_is_a_problem():
    assert list(_card_problems(table(chip(0)), (0, 1))) == ["card 1: npu-smi does not show it"]
    assert list(_card_problems(table(chip(0), chip(1, used=None)), (0, 1))) == [
        "card 1: its memory is unknown"
    ]
    assert list(_card_problems(table(chip(0), chip(1, "Alarm")), (0, 1))) == ["card 1: Alarm"]
    assert not list(_card_problems(table(chip(0), chip(1, "Alarm")), (0,)))


def test_a_running_service_whose_overlay_is_gone_is_not_well():
    state = deployed(CLUSTER, releases_of(CLUSTER)["node1"])
    cards = table(*(chip(card) for card in CLUSTER.primary.devices))
    seen = _Seen(state, DaemonSight(True, "", SUCCESS), 9, (1025, 1026), cards, {})
    names = {"node1": "r"}
    assert list(_problems(CLUSTER, "node1", seen, names, "as shipped")) == []
    assert list(_problems(CLUSTER, "node1", seen, names, "missing")) == ["the overlay is missing"]
    stopped = replace(seen, state=replace(state, started=""))
    assert list(_problems(CLUSTER, "node1", stopped, names, "missing")) == []


def test_of_a_dead_daemon_it_is_told_how_it_ended():
    state = deployed(CLUSTER, releases_of(CLUSTER)["node1"])
    cards = table(*(chip(card) for card in CLUSTER.primary.devices))
    console = f"{SUCCESS}\nReceived exit signal[17], Process 1\nProcess 9 was terminated by signal 9 (Killed)"
    seen = _Seen(state, DaemonSight(False, "134", console), 0, (), cards, {})
    [told] = _problems(CLUSTER, "node1", seen, {"node1": "r"}, "as shipped")
    assert "exit status 134" in told and "killed by signal 9" in told
