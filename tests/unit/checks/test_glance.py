"""A glance at a cluster that serves: seconds, no pings, and never a pass for what did not answer."""

from __future__ import annotations

import pytest

from lingctl.ascend.questions import glance_questions
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.checks.glance import glance_findings
from lingctl.findings import Finding, Verdict
from lingctl.flows.network.probe import NodeAnswers, facts_of
from lingctl.remote.probe import Answer
from tests.unit.checks.world import CARDS, World, complained, listed, said, table

_SCOPE = Scope((), disks=("/root/models",))


def _glance(world: World) -> list[Finding]:
    """Only what a glance asks is answered."""
    asked = {question.id for question in glance_questions(_SCOPE, NodeScope("node1", tuple(range(CARDS))))}
    facts = {}
    for name, answers in world.nodes.items():
        record = NodeAnswers(
            {key: answers[key] for key in answers if key in asked}, asked_at=1e6, heard_at=1e6 + 0.6
        )
        facts[name] = facts_of(world.scope, name, record)
    return list(glance_findings(world.scope, facts))


def _bad(world: World) -> set[tuple[str, str, int | None, str]]:
    return {(f.check, f.node, f.device, f.verdict.word) for f in _glance(world) if f.verdict > Verdict.NOTE}


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_a_healthy_cluster_passes_a_glance(nodes: int) -> None:
    findings = _glance(World.healthy(nodes))
    assert {finding.verdict for finding in findings} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("card:1:link", said("link status: DOWN\n"), ("link", 1, "failure")),
        ("card:1:link", said("link sta"), ("link", 1, "unknown")),
        ("card:1:link", complained("", 124), ("card", 1, "failure")),
        ("npus", said(table(4, {1: "Alarm"})), ("npu-health", 1, "failure")),
        ("npus", said(""), ("npu-health", None, "unknown")),
        (
            "disks",
            listed("/root/models /dev/sda1 1000000000 999999999 1 100% /\n"),
            ("disk", None, "failure"),
        ),
        ("disks", said(""), ("disk", None, "unknown")),
        ("clock", said("1000300.5\n"), ("clock", None, "failure")),
        ("clock", said("?\n"), ("clock", None, "unknown")),
    ],
)
def test_what_broke_under_a_service_is_found(
    question: str, answer: Answer, found: tuple[str, int | None, str]
) -> None:
    check, card, verdict = found
    assert _bad(World.healthy(2).set("node2", question, answer)) == {(check, "node2", card, verdict)}


def test_memory_that_the_service_holds_is_its_own() -> None:
    world = World.healthy(2).set("node1", "npus", said(table(4, used=60000)))
    assert _bad(world) == set()


def test_a_glance_is_bounded() -> None:
    asked = glance_questions(_SCOPE, NodeScope("node1", tuple(range(16))))
    assert sum(question.timeout for question in asked) <= 120
