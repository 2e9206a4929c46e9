"""The story of a change: what happens in which order, and what a program's part in it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.events import Event, ignore
from lingctl.flows.change import deploy as deploy_module
from lingctl.flows.change import ending as ending_module
from lingctl.flows.change import rollback as rollback_module
from lingctl.flows.change.deploy import Deployment, Wanted, deploy
from lingctl.flows.change.rollback import Rollback, rollback
from lingctl.flows.look.node_states import look_of
from lingctl.flows.run import change as change_module
from lingctl.flows.run import story as story_module
from lingctl.flows.run.person import Unattended
from lingctl.flows.run.proposal import Proposal
from lingctl.flows.run.story import carry_out
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.plan import Plan, Run, Stage, Step, plan_of
from lingctl.release.journal import read_journal
from lingctl.remote.command import script
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of

NOTHING = Plan()


class World:
    """A cluster of this one machine, and what happened to it, in order."""

    def __init__(self, folder: Path) -> None:
        self.cluster = cluster_of("node1", paths=Paths(state=str(folder)))
        self.folder = folder
        self.told: list[str] = []
        self.connected = 0

    def tell(self, what: str) -> None:
        held = (Path(self.cluster.state_dir) / "lock").exists()
        self.told.append(f"{what} ({'locked' if held else 'free'})")

    @contextmanager
    def connect(self, cluster: Cluster, listener=ignore) -> Iterator[Group]:
        self.connected += 1
        yield Group({"node1": LocalConnection("node1")})
        self.connected -= 1

    def part(self, name: str, given: str | None = None):
        def part(group: Group, listener) -> str | None:
            self.tell(name)
            return given

        return part

    def plan(self, text: str = "true") -> Plan:
        command = Run(script(f"{text}; echo ran >>{self.folder}/ran"), 20)
        return plan_of([Step(Stage.FILES, "node1", "write a", "change", "because", (command,))])

    @property
    def ran(self) -> bool:
        return (self.folder / "ran").exists()

    @property
    def journal(self) -> list[dict]:
        path = Path(self.cluster.layout.audit)
        return read_journal(path.read_text()) if path.exists() else []


class Asked:
    """A person who notes what they are shown, and how many connections are open when they are asked."""

    def __init__(self, world: World, *, yes: bool) -> None:
        self.world, self.yes = world, yes
        self.shown: list[Proposal] = []
        self.connected_when_asked: int | None = None

    @contextmanager
    def progress(self):
        yield ignore

    def show(self, proposal: Proposal) -> None:
        self.shown.append(proposal)

    def agrees(self, proposal: Proposal) -> bool:
        self.connected_when_asked = self.world.connected
        return self.yes


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    monkeypatch.setattr(story_module, "connect", world.connect)
    monkeypatch.setattr(change_module, "connect_node", lambda cluster, node: LocalConnection(node.name))
    return world


def proposing(world: World, plan: Plan):
    def look(group: Group, listener) -> Proposal[str]:
        world.tell("look")
        return Proposal(
            command="lingctl try",
            question="Do it?",
            plan=plan,
            locked=(world.part("wait", "waited"),),
            afterwards=(world.part("prove", "proof"), world.part("note")),
            unchanged=(world.part("see"),),
            seen="seen",
        )

    return look


def test_what_is_agreed_to_is_done_under_the_lock_and_written_down(world: World):
    person = Asked(world, yes=True)
    outcome = carry_out(world.cluster, person, proposing(world, world.plan()))
    assert (outcome.state, outcome.changed, outcome.result) == ("changed", True, "proof")
    assert world.told == ["look (free)", "wait (locked)", "prove (free)", "note (free)"]
    assert [proposal.command for proposal in person.shown] == ["lingctl try"]
    assert world.ran
    assert [(line["event"], line.get("result")) for line in world.journal] == [
        ("begin", None),
        ("step", "done"),
        ("end", "done"),
    ]


def test_nothing_is_connected_while_a_person_thinks(world: World):
    person = Asked(world, yes=True)
    carry_out(world.cluster, person, proposing(world, world.plan()))
    assert person.connected_when_asked == 0


def test_whoever_does_not_agree_has_changed_nothing(world: World):
    outcome = carry_out(world.cluster, Asked(world, yes=False), proposing(world, world.plan()))
    assert (outcome.state, outcome.changed, outcome.result) == ("declined", False, None)
    assert world.told == ["look (free)"]
    assert not world.ran and not world.journal


def test_a_dry_run_shows_the_plan_and_asks_nobody(world: World):
    person = Asked(world, yes=True)
    outcome = carry_out(world.cluster, person, proposing(world, world.plan()), dry_run=True)
    assert outcome.state == "planned" and len(person.shown) == 1
    assert person.connected_when_asked is None
    assert world.told == ["look (free)"]
    assert not world.ran


def test_where_nothing_has_to_change_nobody_is_asked_and_no_lock_taken(world: World):
    person = Asked(world, yes=True)
    outcome = carry_out(world.cluster, person, proposing(world, NOTHING))
    assert (outcome.state, outcome.result) == ("unchanged", "seen")
    assert person.connected_when_asked is None and len(person.shown) == 1
    assert world.told == ["look (free)", "see (free)"]
    assert not world.journal


def test_what_fails_is_not_followed_by_a_proof(world: World):
    with pytest.raises(NodeError):
        carry_out(world.cluster, Asked(world, yes=True), proposing(world, world.plan("exit 1")))
    assert world.told == ["look (free)"]
    assert world.journal[-1]["result"] == "failed"


def test_a_program_decides_by_the_plan_and_hears_the_steps(world: World):
    heard: list[Event] = []

    def only_files(proposal: Proposal) -> bool:
        return all(step.stage is Stage.FILES for step in proposal.plan.changes)

    assert carry_out(
        world.cluster, Unattended(heard.append, only_files), proposing(world, world.plan())
    ).changed
    assert [(event.task, event.state) for event in heard] == [("write a", "started"), ("write a", "done")]
    refused = Unattended(decide=lambda proposal: not only_files(proposal))
    assert carry_out(world.cluster, refused, proposing(world, world.plan())).state == "declined"


@pytest.fixture
def ends(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The parts of a service's change only tell that they were reached."""
    for name in ("wait_until_serving", "settle", "prove_service", "note_proved"):
        monkeypatch.setattr(ending_module, name, lambda *_, name=name: world.tell(name))
    monkeypatch.setattr(ending_module, "lacks_proof", lambda states: True)
    return world


def deploying(world: World, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Wanted(world.cluster, look_of(world.cluster), {}, {}, ())
    found = Deployment(wanted, plan, True, {}, None)
    monkeypatch.setattr(deploy_module, "plan_deploy", lambda *_: found)
    monkeypatch.setattr(deploy_module, "run_deploy", lambda *_: world.tell("run"))


def going_back(world: World, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    look = look_of(world.cluster)
    back = Rollback("20260101-000000-aaaa", world.cluster, plan, look, {})
    monkeypatch.setattr(rollback_module, "plan_rollback", lambda *_: back)
    monkeypatch.setattr(rollback_module, "need_no_drift", lambda *_: world.tell("run"))


def test_deploy_proves_when_the_lock_is_given_back(ends: World, monkeypatch):
    deploying(ends, ends.plan(), monkeypatch)
    deploy(ends.cluster, Unattended())
    assert ends.told == [
        "run (locked)",
        "wait_until_serving (locked)",
        "settle (locked)",
        "prove_service (free)",
        "note_proved (free)",
    ]


def test_deploy_with_nothing_to_do_waits_and_brings_a_missing_proof(ends: World, monkeypatch):
    deploying(ends, NOTHING, monkeypatch)
    deploy(ends.cluster, Unattended())
    told = ["wait_until_serving (free)", "settle (free)", "prove_service (free)", "note_proved (free)"]
    assert ends.told == told


def test_rollback_proves_before_the_lock_is_given_back(ends: World, monkeypatch):
    going_back(ends, ends.plan(), monkeypatch)
    outcome = rollback(ends.cluster, Unattended())
    assert outcome.proposal.release == "20260101-000000-aaaa"
    assert ends.told == [
        "run (locked)",
        "wait_until_serving (locked)",
        "settle (locked)",
        "prove_service (locked)",
        "note_proved (locked)",
    ]


def test_an_interrupted_rollback_is_settled_after_its_proof_only(ends: World, monkeypatch):
    going_back(ends, NOTHING, monkeypatch)
    rollback(ends.cluster, Unattended())
    told = ["wait_until_serving (free)", "prove_service (free)", "note_proved (free)", "settle (free)"]
    assert ends.told == told


@pytest.mark.parametrize("plan", [True, False])
def test_without_a_smoke_test_nothing_is_called_proved(ends: World, monkeypatch, plan: bool):
    deploying(ends, ends.plan() if plan else NOTHING, monkeypatch)
    going_back(ends, ends.plan() if plan else NOTHING, monkeypatch)
    deploy(ends.cluster, Unattended(), smoke=False)
    rollback(ends.cluster, Unattended(), smoke=False)
    assert not any(what.startswith(("prove", "note")) for what in ends.told)
    assert sum(what.startswith("wait_until_serving") for what in ends.told) == 2
