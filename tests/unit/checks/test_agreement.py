"""Who is accused of differing: never the healthy half of a draw, and by what is known from outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lingctl.checks.between.agreement import Same, judge_same
from lingctl.checks.between.clocks import clock_findings
from lingctl.checks.network import judge
from lingctl.findings import Finding, Verdict
from lingctl.remote.probe import Answer
from tests.unit.checks.test_network import TLS_ON
from tests.unit.checks.world import CARDS, World, complained, listed, said


def _about(world: World, check: str) -> list[Finding]:
    return [
        finding for finding in world.judged() if finding.check == check and finding.verdict > Verdict.PASS
    ]


def _everywhere(world: World, node: str, question: str, text: str) -> World:
    for card in range(CARDS):
        world.set(node, f"card:{card}:{question}", said(text))
    return world


DRAWS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "driver-same": (("driver", "Version=25.0.0\n"), ("25.0.0", "24.1.0")),
    "firmware-same": (("firmware", "Version=7.6.0.1\n"), ("7.6.0.1", "7.5.0.5.220")),
    "image-same": (("image", "sha256:22\n"), ("sha256:22", "sha256:11")),
    "same-files": (
        ("digests", f"{'b' * 64}  /root/models/Ling_lite/generation_config.json\n"),
        ("bbb", "aaa"),
    ),
    "mtu-same": (("card:*:mtu", "mtu:1500\n"), ("1500", "4200")),
    "speed-same": (("card:*:speed", "Speed: 100000 Mb/s\n"), ("100000", "200000")),
    "tls-same": (("card:*:tls", TLS_ON), ("on", "off")),
}


@pytest.mark.parametrize("check", DRAWS)
@pytest.mark.parametrize("node", ["node1", "node2"])
def test_on_a_draw_both_values_are_named_and_nobody_is_accused(check: str, node: str) -> None:
    (question, text), values = DRAWS[check]
    world = World.healthy(2)
    if question.startswith("card:"):
        _everywhere(world, node, question.rpartition(":")[2], text)
    else:
        bare = question == "image"
        world.set(node, question, said(text) if bare else listed(text))
    (finding,) = _about(world, check)
    assert (finding.node, finding.device) == ("", None)
    assert finding.verdict in (Verdict.FAILURE, Verdict.WARNING)
    assert all(value in finding.message for value in (*values, "node1", "node2"))
    assert "most" not in finding.message
    assert finding.remedy


def test_masks_that_differ_on_every_rail_accuse_nobody() -> None:
    world = World.healthy(2)
    for card in range(CARDS):
        text = f"ipaddr:10.1.2.{card + 1}\nnetmask:255.255.255.0\n"
        world.set("node2", f"card:{card}:address", said(text))
    found = _about(world, "netmask-same")
    assert [(finding.node, finding.device) for finding in found] == [("", None)] * CARDS
    assert all("255.255.255.0 on node2" in finding.message for finding in found)


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_one_mask_of_two_on_a_rail_is_judged_by_the_other_cards(node: str) -> None:
    world = World.healthy(2)
    address = world.nodes[node]["card:1:address"].stdout.splitlines()[0]
    world.set(node, "card:1:address", said(f"{address}\nnetmask:255.255.255.0\n"))
    (finding,) = _about(world, "netmask-same")
    assert (finding.node, finding.device) == (node, 1)
    assert finding.remedy == (
        f"hccn_tool -i 1 -ip -s address {address.removeprefix('ipaddr:')} netmask 255.255.0.0"
    )


@pytest.mark.parametrize("old", ["node1", "node2"])
def test_the_driver_that_the_image_does_not_take_is_the_odd_one(old: str) -> None:
    world = World.healthy(2).set(old, "driver", listed("Version=23.0.7\n"))
    found = [f for f in judge(replace(world.scope, driver="24.1"), world.facts) if f.check == "driver-same"]
    assert [(finding.node, finding.verdict) for finding in found] == [(old, Verdict.FAILURE)]
    assert "24.1.0" in found[0].remedy and "23.0.7" not in found[0].remedy


def test_most_nodes_are_wrong_where_the_image_needs_what_the_one_has() -> None:
    world = World.healthy(3)
    for node in ("node1", "node3"):
        world.set(node, "driver", listed("Version=23.0.7\n"))
    found = [f for f in judge(replace(world.scope, driver="24.1"), world.facts) if f.check == "driver-same"]
    assert {finding.node for finding in found} == {"node1", "node3"}


@pytest.mark.parametrize("odd", ["node1", "node2"])
def test_the_firmware_that_its_driver_does_not_take_is_the_odd_one(odd: str) -> None:
    world = World.healthy(2).set(odd, "firmware", listed("Version=6.4.12.1.241\n"))
    assert {finding.node for finding in _about(world, "firmware-same")} == {odd}


def test_a_mask_that_is_too_narrow_sends_no_healthy_card_to_a_gateway() -> None:
    world = World.healthy(2)
    none = complained("Get gateway failed, because no gateway was preset there!\n", 2)
    for node in world.nodes:
        for card in range(CARDS):
            world.set(node, f"card:{card}:gateway", none)
    world.set("node2", "card:1:address", said("ipaddr:10.1.2.2\nnetmask:255.255.255.0\n"))
    found = {(finding.node, finding.device) for finding in _about(world, "gateway") if finding.verdict > 1}
    assert found == {("node2", 1)}


def test_what_some_do_not_tell_is_not_the_same_everywhere() -> None:
    same = Same("x", Verdict.FAILURE, "odd", "differ", lambda place, value: "fix")
    asked = [("node1", None), ("node2", None)]
    (finding,) = judge_same(same, {("node1", None): 1}, asked)
    assert finding.verdict is Verdict.NOTE and "node2" in finding.message


def _clocks(**off: float) -> dict[str, Verdict]:
    spans = {node: (seconds - 0.1, seconds + 0.1) for node, seconds in off.items()}
    return {finding.node: finding.verdict for finding in clock_findings(spans)}


def test_a_clock_is_off_only_against_more_than_half_of_the_others() -> None:
    assert _clocks(node1=0.0, node2=300.0) == {"node1": Verdict.PASS, "node2": Verdict.FAILURE}
    # This machine's own may be the wrong one.
    assert _clocks(node1=300.0, node2=300.0) == {"node1": Verdict.PASS, "node2": Verdict.PASS}
    # Two against two, this machine among them: nobody is accused.
    assert _clocks(node1=0.0, node2=100.0, node3=100.0) == {"": Verdict.FAILURE}
    assert _clocks(node1=30.0) == {"": Verdict.WARNING}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("service", Answer("", "", 124)),
        ("service", said("?\n")),
    ],
)
def test_a_taken_port_is_not_blamed_on_others_when_the_own_daemon_is_not_known(
    question: str, answer: Answer
) -> None:
    world = World.healthy().set("node2", question, answer)
    world.set("node2", "listeners", listed("LISTEN 0 128 *:1120 *:*\n"))
    assert ("port", "node2", None, "unknown") in world.trouble()


def test_what_makes_all_alike_whatever_is_right_is_said_once() -> None:
    same = Same("x", Verdict.FAILURE, "odd", "differ", lambda place, value: f"look at {place[0]}")
    (finding,) = judge_same(same, {("node1", None): 1, ("node2", None): 2})
    assert finding.remedy == "on node1: look at node1; on node2: look at node2"
