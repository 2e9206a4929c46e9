"""Texts of real machines, as ``lingctl accept lessons FILE --to tests/hardware/samples`` writes them.

A sample says what is expected of it, ``read`` when it is made: a tool's answer gives a fact, a line or an
error has a known cause. Until that is so its test fails. One that rightly says nothing is made ``unread``
by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.questions import read_facts
from lingctl.ascend.scope import NodeScope
from lingctl.ascend.unread import Unread
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.remote.probe import Answer, Answers
from lingctl.vllm.logs.log_reader import VLLM_LOGS

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))


def fact_of(sample: dict) -> object:
    """What is read of a tool's answer."""
    kind, _, name = sample["what"].partition(":")
    question = f"{kind}:0:{name}" if name else kind
    answer = Answer(sample["said"], "", sample["status"] or 0)
    facts: NodeFacts = read_facts(NodeScope("node1", (0,)), Answers({question: answer}, complete=True))
    return getattr(facts.cards[0], name) if kind == "card" else getattr(facts, kind)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_machine_that_taught_this_is_understood_now(path: Path):
    sample = json.loads(path.read_text(encoding="utf-8"))
    if sample["kind"] == "answer":
        read = not isinstance(fact_of(sample), Unread)
    else:
        logs = VLLM_LOGS if sample["engine"].startswith("vLLM") else MINDIE_LOGS
        read = bool(logs.explain(sample["said"]))
    assert ("read" if read else "unread") == sample["expected"]
