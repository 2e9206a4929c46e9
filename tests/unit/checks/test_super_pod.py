"""A3 super-pods: identity is checked; dies are pinged over HCCS only where an answer names one server."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.checks.reach.mesh_plan import plan_mesh
from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict
from lingctl.flows.files.inputs import saved_addresses
from lingctl.flows.network.check import judged
from lingctl.flows.network.probe import NodeAnswers
from lingctl.flows.network.saved import save_answers
from tests.unit.checks.world import CARDS, World, complained, said
from tests.unit.mindie.samples import make_cluster

NO_IP = "Get ipconf failed, because no ip was preset there!\n"


def _place(server: int, card: int, pod: int = 0, sdid: int | None = None) -> str:
    own = server << 22 | (card // 2) << 18 | (card % 2) << 16 | card
    return (
        f"\tSDID : {own if sdid is None else sdid}\n\tSuper Pod Size : 384\n"
        f"\tSuper Pod ID : {pod}\n\tServer Index : {server}\n"
    )


def _pod(nodes: int = 2, pods: tuple[int, ...] = (0, 0)) -> World:
    """Servers of a super-pod, as most are: no RoCE, four dies each."""
    world = World.healthy(nodes)
    for index, node in enumerate(world.nodes):
        server = index + 1
        world.change(node, "pci", lambda text: text.replace("d802", "d803"))
        for card in range(CARDS):
            world.set(node, f"card:{card}:link", said("link status: DOWN\n"))
            world.set(node, f"card:{card}:address", complained(NO_IP, 13))
            world.set(node, f"pod:{card}:place", said(_place(server, card, pods[index])))
            address = f"192.{server}.{2 + card % 2}.{199 - card}"
            text = f"vnic link status: UP\nvnic ipaddr: {address}\nvnic netmask: 255.0.0.0\n"
            world.set(node, f"pod:{card}:vnic", said(text))
    return world


def _about(world: World, check: str) -> list[Finding]:
    return [
        finding for finding in world.judged() if finding.check == check and finding.verdict > Verdict.NOTE
    ]


def test_a_healthy_super_pod_has_no_trouble() -> None:
    assert _pod().trouble() == set()


def test_saved_answers_of_a_super_pod_make_no_rank_table(tmp_path: Path) -> None:
    world = _pod()
    records = {name: NodeAnswers(answers) for name, answers in world.nodes.items()}
    save_answers(judged(world.scope, records), tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        saved_addresses(tmp_path, make_cluster(nodes=2))
    assert caught.value.code == "rank-table-form"


def test_dies_of_one_pod_are_pinged_over_hccs_by_their_inner_addresses() -> None:
    world = _pod()
    shots = [shot for shots in plan_mesh(world.scope, world.facts, "rotation").values() for shot in shots]
    assert {shot.plane for shot in shots} == {"hccs"}
    assert len(shots) == 2 * 2 * CARDS
    assert {shot.address for shot in shots if shot.target == ("node2", 3)} == {"192.2.3.196"}


def test_inner_addresses_of_another_pod_are_never_pinged() -> None:
    """They repeat in every pod: the answer would come from another machine."""
    world = _pod(pods=(0, 1))
    facts = world.facts
    assert not any(plan_mesh(world.scope, facts, "rotation").values())


def test_the_same_place_twice_is_found_on_both_servers() -> None:
    world = _pod()
    for card in range(CARDS):
        world.set("node2", f"pod:{card}:place", world.nodes["node1"][f"pod:{card}:place"])
    found = {finding.node for finding in _about(world, "super-pod") if "so is" in finding.message}
    assert found == {"node1", "node2"}
    shots = plan_mesh(world.scope, world.facts, "rotation")
    assert not any(shot.plane == "hccs" for own in shots.values() for shot in own)


def test_a_number_that_belongs_elsewhere_is_found_on_its_die() -> None:
    world = _pod().set("node2", "pod:1:place", said(_place(2, 1, sdid=5 << 22 | 1 << 16 | 1)))
    assert [(f.node, f.device) for f in _about(world, "super-pod")] == [("node2", 1)]


def test_dies_of_one_server_that_disagree_are_found() -> None:
    world = _pod().set("node2", "pod:1:place", said(_place(7, 1)))
    assert ("node2", None) in {(f.node, f.device) for f in _about(world, "super-pod")}


def test_an_inner_network_that_is_down_or_elsewhere_is_found() -> None:
    world = _pod()
    world.change("node1", "pod:0:vnic", lambda text: text.replace("UP", "DOWN"))
    world.change("node2", "pod:3:vnic", lambda text: text.replace("192.2.3.196", "192.168.2.196"))
    assert {(f.node, f.device) for f in _about(world, "vnic")} == {("node1", 0), ("node2", 3)}


def test_an_a3_outside_a_pod_is_not_judged_as_one() -> None:
    world = _pod()
    text = "This device does not support querying spod-info.\n"
    for node in world.nodes:
        for card in range(CARDS):
            world.set(node, f"pod:{card}:place", said(text))
    assert world.trouble() == set()
    notes = [finding for finding in world.judged() if finding.check == "super-pod"]
    assert {finding.verdict for finding in notes} == {Verdict.NOTE}
    assert all("not judged" in finding.message for finding in notes)
