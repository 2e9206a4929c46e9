"""What cards said, judged: what the engine beside them prevents says nothing of a card."""

from __future__ import annotations

import pytest

from lingctl.findings import Verdict
from lingctl.flows.network.npu_check import CardAnswer, NpuAnswer, NpuOptions, _report
from lingctl.sandbox.torch_npu import words

HELD = words.host_port_taken(0)
APART = words.cards_apart(0, 0, 120)


def verdicts(*errors: str, allow_running: bool = True) -> list[Verdict]:
    """Of the sums of cards that compute well."""
    cards = tuple(
        CardAnswer(card=n, rank=n, product="good", product_error=0.0, reduced="failed", error=error)
        for n, error in enumerate(errors)
    )
    answer = NpuAnswer("npu", {}, len(cards), len(cards), cards)
    found = _report({"node1": answer}, NpuOptions(allow_running=allow_running)).findings
    assert {one.verdict for one in found if one.check == "npu-product"} == {Verdict.PASS}
    return [one.verdict for one in found if one.check == "npu-all-reduce"]


@pytest.mark.parametrize("missing", [words.ranks_missing(1, 1, 120), words.no_root(1, "reset"), HELD])
def test_ports_that_the_running_engine_holds_say_nothing_of_the_cards(missing: str):
    assert verdicts(HELD, missing) == [Verdict.UNKNOWN, Verdict.UNKNOWN]


def test_cards_that_do_not_reach_each_other_are_wrong_beside_an_engine_too():
    assert verdicts(APART, APART) == [Verdict.FAILURE, Verdict.FAILURE]


def test_ports_that_something_else_holds_are_wrong_where_no_engine_was_allowed():
    assert verdicts(HELD, HELD, allow_running=False) == [Verdict.FAILURE, Verdict.FAILURE]
