"""When a node counts as well: what is unknown, missing or not to be seen never does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lingctl.ascend.cards.card_rows import CardRows
from lingctl.ascend.cards.npu_smi import Chip
from lingctl.errors import NotAskedError
from lingctl.flows.look import service
from lingctl.flows.look.daemon import DaemonSight
from lingctl.flows.look.node_states import look_of
from lingctl.flows.look.status import cluster_status as status
from lingctl.flows.look.status import seen as status_seen
from lingctl.flows.look.status.cluster_status import NodeStatus
from lingctl.flows.look.status.problems import card_problems, problems_of
from lingctl.flows.look.status.seen import SeenNode, look_at_node
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.mindie.logs.console import LOADED as SUCCESS
from lingctl.release.state import NodeState
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.remote.probe import Answer, Answers
from lingctl.serving import readiness
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.readiness import Probe, judge_generation
from lingctl.serving.trouble import ExchangeTrouble
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


def table(*chips: Chip) -> CardRows:
    return CardRows({chip.npu: (chip.npu, 0) for chip in chips}, {chip.npu: chip for chip in chips})


def chip(card: int, health: str = "OK", used: int | None = 50_000) -> Chip:
    return Chip(card, 0, None, "910B", health, "0000:C1:00.0", used, 65_536)


def test_all_known_and_good_is_well():
    assert WELL.healthy


@pytest.mark.parametrize("unknown", [{"processes": None}, {"ports": None}, {"memory": None}, {"memory": {}}])
def test_what_could_not_be_read_is_never_taken_for_well(unknown: dict[str, None]):
    assert not replace(WELL, **unknown).healthy


def test_a_card_that_npu_smi_does_not_show_is_a_problem():
    assert list(card_problems(table(chip(0)), (0, 1))) == ["card 1: npu-smi does not list the card"]
    assert list(card_problems(table(chip(0), chip(1, used=None)), (0, 1))) == [
        "card 1: its memory is unknown"
    ]
    assert list(card_problems(table(chip(0), chip(1, "Alarm")), (0, 1))) == ["card 1: Alarm"]
    assert not list(card_problems(table(chip(0), chip(1, "Alarm")), (0,)))


def test_a_running_service_whose_overlay_is_gone_is_not_well():
    state = deployed(CLUSTER, releases_of(CLUSTER)["node1"])
    cards = table(*(chip(card) for card in CLUSTER.primary.devices))
    seen = SeenNode(state, DaemonSight(True, "", SUCCESS, True), 9, (1025, 1026), cards, {})
    names = {"node1": "r"}
    assert list(problems_of(CLUSTER, "node1", seen, names, "as shipped")) == []
    assert list(problems_of(CLUSTER, "node1", seen, names, "missing")) == ["the overlay is missing"]
    stopped = replace(seen, state=replace(state, started=""))
    assert list(problems_of(CLUSTER, "node1", stopped, names, "missing")) == []


@pytest.mark.parametrize("answer", [None, Answer("", "", 124)], ids=["none", "cut off"])
def test_a_runtime_that_does_not_answer_is_not_taken_for_one_without_the_container(monkeypatch, answer):
    answers = {"daemon": Answer("dead\n", "", 0), **({} if answer is None else {"elsewhere": answer})}
    monkeypatch.setattr(status_seen, "probed", lambda *_: Answers(answers, True))
    monkeypatch.setattr(status_seen, "_sight", lambda *_: None)
    state = deployed(CLUSTER, releases_of(CLUSTER)["node1"])
    monkeypatch.setattr(status_seen, "read_state", lambda *_: state)
    seen = look_at_node(LocalConnection("node1"), look_of(CLUSTER), CLUSTER)
    told = list(problems_of(CLUSTER, "node1", seen, {"node1": "r"}, "as shipped"))
    assert [one for one in told if "runs under it" in one] == [
        "podman does not tell whether the container runs under it"
    ]
    assert seen.processes is None


@pytest.mark.parametrize(
    ("state", "sight", "processes"),
    [
        ("echo 'Cannot connect to the daemon' >&2; exit 1", None, None),
        ("echo exited", DaemonSight(False, "", "", started=False), 0),
    ],
    ids=["the runtime does not tell", "the container has ended"],
)
def test_processes_are_counted_or_unknown_and_none_only_where_the_daemon_is_gone(
    tmp_path, monkeypatch, state, sight, processes
):
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$1" = inspect ] || exit 1\n{state}\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(status_seen, "read_state", lambda *_: NodeState("node1"))
    seen = look_at_node(LocalConnection("node1"), look_of(CLUSTER), CLUSTER)
    assert (seen.sight, seen.processes) == (sight, processes)


ABNORMAL = HttpResponse(500, {}, b'{"message":"Service is abnormal"}', 0.0)
HEALTHY = HttpResponse(200, {}, b"", 0.0)
TWO = cluster_of("node1", "node2")


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> list[HttpResponse | ExchangeTrouble]:
    """What health answers, one after the other; the pauses between are left out."""
    answers: list[HttpResponse | ExchangeTrouble] = []

    class Told:
        def health(self) -> HttpResponse | ExchangeTrouble:
            return answers.pop(0)

    @contextmanager
    def here(*_: object) -> Iterator[Told]:
        yield Told()

    monkeypatch.setattr(service, "client_for", here)
    monkeypatch.setattr(readiness, "_INTERVAL", 0)
    return answers


def primary(lost: dict[str, str], group: Group | None = None) -> NodeStatus:
    state = deployed(TWO, releases_of(TWO)["node1"])
    cards = table(*(chip(card) for card in TWO.primary.devices))
    seen = SeenNode(state, DaemonSight(True, "", SUCCESS, True), 9, (1025, 1026), cards, {})
    return status._row(group or Group({}), TWO, "node1", seen, {"node1": "r", "node2": "r"}, lost)


def test_a_service_is_not_judged_while_another_node_is_left_out(health):
    health.append(HEALTHY)
    row = primary({}, Group({}, {"node2": NotAskedError("not asked")}))
    assert (row.service, row.healthy) == ("not judged", False)


def test_the_first_seconds_of_a_service_are_not_called_unhealthy(health):
    health += [ABNORMAL, ABNORMAL, HEALTHY]
    row = primary({})
    assert (row.service, row.problems, row.healthy) == ("ready", (), True)


@pytest.mark.parametrize("why", ["its daemon is dead", "it could not be asked"])
def test_a_service_is_not_well_while_another_nodes_daemon_is_not_known_to_live(health, why):
    health.append(HEALTHY)
    row = primary({"node2": why})
    assert row.service == "node lost"
    assert row.problems == (f"do not rely on it: node2 is lost, {why}",)
    assert not row.healthy


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (HttpResponse(503, {}, b"", 0.0), "stopping"),
        (HttpResponse(503, {}, b'{"message":"Service is alive but busy. Consider"}', 0.0), "busy"),
        (ExchangeTrouble("refused", ""), "unreachable"),
    ],
)
def test_what_health_says_is_the_services_word(health, answer, word):
    health.append(answer)
    row = primary({})
    assert row.service == word
    assert not row.healthy


def test_of_a_dead_daemon_it_is_told_how_it_ended():
    state = deployed(CLUSTER, releases_of(CLUSTER)["node1"])
    cards = table(*(chip(card) for card in CLUSTER.primary.devices))
    console = f"{SUCCESS}\nReceived exit signal[17], Process 1\nProcess 9 was terminated by signal 9 (Killed)"
    seen = SeenNode(state, DaemonSight(False, "134", console), 0, (), cards, {})
    [told] = problems_of(CLUSTER, "node1", seen, {"node1": "r"}, "as shipped")
    assert "exit status 134" in told and "killed by signal 9" in told


VLLM = cluster_of("node1", "node2", engine=EngineChoice(name="vllm", version="0.23.0"))
DEAD_ENGINE = (
    "INFO:     Application startup complete.\n"
    "(APIServer pid=7) ERROR 11-28 14:23:28 [async_llm.py:906] AsyncLLM output_handler failed."
)


def test_status_0_of_an_engine_that_nobody_stopped_is_a_death():
    state = deployed(TWO, releases_of(TWO)["node1"])
    seen = SeenNode(state, DaemonSight(False, "0", DEAD_ENGINE), 0, (), None, {})
    told = list(problems_of(VLLM, "node1", seen, {"node1": "r"}, "-"))
    assert "exit status 0" in told[0] and "the engine's process ended" in told[0]
    stopped = replace(seen, state=replace(state, started=""))
    assert list(problems_of(VLLM, "node1", stopped, {"node1": "r"}, "-")) == [
        "the daemon was stopped, or never started"
    ]


def test_what_a_dead_daemon_left_is_told():
    state = deployed(TWO, releases_of(TWO)["node2"])
    seen = SeenNode(state, DaemonSight(False, "137", ""), 2, (), None, {})
    told = list(problems_of(VLLM, "node2", seen, {"node1": "r", "node2": "r"}, "-"))
    assert "processes of it are left, which hold cards and may serve on: 2" in told


def test_a_rank_that_waits_for_a_dead_first_node_is_not_well():
    state = deployed(TWO, releases_of(TWO)["node2"])
    seen = SeenNode(state, DaemonSight(True, "", "", True), 3, (), None, {})
    names = {"node1": "r", "node2": "r"}
    row = status._row(Group({}), VLLM, "node2", seen, names, {"node1": "its daemon is dead"})
    assert "it waits for node1 and will not end by itself: node1 is lost, its daemon is dead" in row.problems
    assert status._row(Group({}), VLLM, "node2", seen, names, {}).problems == ()


@pytest.fixture
def answers(health, monkeypatch: pytest.MonkeyPatch) -> list[Piece | ExchangeTrouble]:
    """What is answered to a request for text."""
    given: list[Piece | ExchangeTrouble] = []

    def probe(*_: object) -> Probe:
        return lambda: judge_generation(given.pop(0))

    health.append(HEALTHY)
    monkeypatch.setattr(service, "probe_of", probe)
    return given


def first_of_vllm(lost: dict[str, str]) -> NodeStatus:
    state = deployed(TWO, releases_of(TWO)["node1"])
    cards = table(*(chip(card) for card in TWO.primary.devices))
    seen = SeenNode(state, DaemonSight(True, "", "", True), 9, (1025,), cards, {})
    return status._row(Group({}), VLLM, "node1", seen, {"node1": "r", "node2": "r"}, lost)


def test_a_vllm_is_ready_when_it_gives_text(answers):
    answers.append(Piece("Hello", "length", seconds=0.1))
    row = first_of_vllm({})
    assert (row.service, row.problems) == ("ready", ())


def test_a_vllm_that_is_healthy_and_gives_no_text_is_not_ready(answers):
    """As one whose worker hangs: its health stays 200."""
    answers.append(ExchangeTrouble("timeout", "no answer within 60 s"))
    row = first_of_vllm({})
    assert row.service == "no tokens"
    assert "it calls itself healthy and gives no text" in row.problems[0] and "60 s" in row.problems[0]
    assert not row.healthy


def test_a_vllm_that_has_lost_a_node_is_not_asked_since_that_would_end_it(answers):
    assert first_of_vllm({"node2": "its daemon is dead"}).service == "node lost"
    assert answers == []
