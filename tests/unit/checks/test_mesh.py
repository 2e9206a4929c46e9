"""The mesh covers what it promises, and blames the card that is at fault."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations

import pytest

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.scope import CardPlace
from lingctl.ascend.unread import Unread
from lingctl.checks.reach.mesh import Hit, mesh_findings
from lingctl.checks.reach.mesh_plan import Mode, Shot, plan_mesh
from lingctl.checks.reach.picture import mesh_picture
from lingctl.findings import Verdict
from tests.unit.checks.world import CARDS, World, complained, said


def _shots(world: World, mode: Mode = "rotation") -> list[Shot]:
    planned = plan_mesh(world.scope, world.facts, mode)
    return [shot for shots in planned.values() for shot in shots]


def _hits(world: World, bad: set[CardPlace], mode: Mode = "rotation", received: int = 0) -> list[Hit]:
    return [
        Hit(shot, Ping(3, received if {shot.source, shot.target} & bad else 3))
        for shot in _shots(world, mode)
    ]


def _failures(world: World, hits: list[Hit]) -> set[tuple[str, int | None]]:
    found = mesh_findings(world.scope, world.facts, hits, 0)
    return {(finding.node, finding.device) for finding in found if finding.verdict is Verdict.FAILURE}


@pytest.mark.parametrize("nodes", [2, 3, 4, 7])
def test_rotation_tries_every_card_on_every_pair_of_nodes_along_and_across(nodes: int) -> None:
    world = World.healthy(nodes)
    along: dict[tuple[str, str], set[int]] = defaultdict(set)
    across: dict[tuple[str, str], set[int]] = defaultdict(set)
    reached: dict[tuple[str, str], set[int]] = defaultdict(set)
    for shot in _shots(world):
        pair = (shot.source[0], shot.target[0])
        (along if shot.source[1] == shot.target[1] else across)[pair].add(shot.source[1])
        reached[pair].add(shot.target[1])
    for pair in permutations(world.nodes, 2):
        assert along[pair] == across[pair] == reached[pair] == set(range(CARDS))


def test_full_is_every_card_to_every_card_of_every_other_node() -> None:
    shots = _shots(World.healthy(3), "full")
    assert len(shots) == len(set(shots)) == 3 * 2 * CARDS * CARDS


def test_no_card_pings_its_own_node() -> None:
    assert all(shot.source[0] != shot.target[0] for shot in _shots(World.healthy(3), "full"))


def test_off_is_nothing() -> None:
    assert _shots(World.healthy(3), "off") == []


def test_addresses_are_the_live_ones() -> None:
    for shot in _shots(World.healthy(2)):
        node, card = shot.target
        assert shot.address == f"10.1.{node.removeprefix('node')}.{card + 1}"


def test_cards_that_cannot_take_part_are_left_out_and_do_not_pass() -> None:
    world = World.healthy(2).set("node2", "card:1:link", said("link status: DOWN\n"))
    assert not [shot for shot in _shots(world) if ("node2", 1) in (shot.source, shot.target)]
    findings = list(mesh_findings(world.scope, world.facts, _hits(world, set()), 0))
    about = [finding for finding in findings if (finding.node, finding.device) == ("node2", 1)]
    assert [finding.verdict for finding in about] == [Verdict.NOTE]
    assert "link is down" in about[0].message


def test_pairs_without_a_way_are_not_tried() -> None:
    """A direct cable: one subnet for each card index, and no gateway."""
    world = World.healthy(2)
    none = complained("Get gateway failed, because no gateway was preset there!\n", 2)
    for number, node in enumerate(world.nodes, 1):
        for card in range(CARDS):
            text = f"ipaddr:10.20.{card}.{number}\nnetmask:255.255.255.0\n"
            world.set(node, f"card:{card}:address", said(text)).set(node, f"card:{card}:gateway", none)
    shots = _shots(world)
    assert len(shots) == 2 * CARDS
    assert all(shot.source[1] == shot.target[1] for shot in shots)


def test_all_answered_is_all_passed() -> None:
    world = World.healthy(3)
    findings = list(mesh_findings(world.scope, world.facts, _hits(world, set()), 0))
    assert len(findings) == 3 * CARDS
    assert {finding.verdict for finding in findings} == {Verdict.PASS}


@pytest.mark.parametrize("nodes", [2, 3, 4])
@pytest.mark.parametrize("received", [0, 2])
def test_a_deaf_card_is_blamed_and_its_partners_are_not(nodes: int, received: int) -> None:
    world = World.healthy(nodes)
    bad = ("node2", 1)
    assert _failures(world, _hits(world, {bad}, received=received)) == {bad}


def test_two_deaf_cards_are_both_blamed() -> None:
    world = World.healthy(3)
    bad = {("node1", 0), ("node3", 2)}
    assert _failures(world, _hits(world, bad)) == bad


def test_one_broken_way_is_blamed_on_the_card_that_asked() -> None:
    world = World.healthy(3)
    shots = _shots(world)
    broken = next(s for s in shots if s.source == ("node1", 0) and s.target == ("node2", 0))
    hits = [Hit(shot, Ping(3, 0 if shot == broken else 3)) for shot in shots]
    assert _failures(world, hits) == {("node1", 0)}
    text = next(f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.verdict is Verdict.FAILURE)
    assert "node2 card 0" in text.message
    assert "0 of 3 packets" in text.evidence


def test_a_wrong_mtu_is_told_from_a_broken_way() -> None:
    world = World.healthy(2)
    bad = ("node2", 1)
    hits = [Hit(hit.shot, hit.ping, None if hit.ok else Ping(3, 3)) for hit in _hits(world, {bad})]
    failure = next(
        f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.verdict is Verdict.FAILURE
    )
    assert "MTU" in failure.remedy


def test_an_answer_that_is_not_understood_is_unknown_and_not_a_failure() -> None:
    world = World.healthy(2)
    odd = Unread("not-understood", "odd", "?!")
    hits = [Hit(shot, odd if shot.source == ("node1", 0) else Ping(3, 3)) for shot in _shots(world)]
    found = [f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.verdict > Verdict.NOTE]
    assert [(f.node, f.device, f.verdict) for f in found] == [("node1", 0, Verdict.UNKNOWN)]


def test_what_the_time_limit_cut_is_said() -> None:
    world = World.healthy(2)
    findings = list(mesh_findings(world.scope, world.facts, [], 16))
    assert {finding.verdict for finding in findings} == {Verdict.NOTE}
    assert any("16 pings" in finding.message for finding in findings)


def test_the_matrix_counts_answers() -> None:
    world = World.healthy(2)
    picture = mesh_picture(world.scope, _hits(world, {("node2", 1)}))
    assert picture.counts() == [["node1", "-", "6/8"], ["node2", "6/8", "-"]]
