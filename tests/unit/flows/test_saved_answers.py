"""Saved answers, judged again by the command line: npu-smi's numberings, early bundles, what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lingctl.ascend.scope import NodeScope, Scope
from lingctl.ascend.unread import has_closing
from lingctl.errors import ConfigurationError
from lingctl.flows.network.check import NetworkReport, judged
from lingctl.flows.network.probe import NodeAnswers, first_questions
from lingctl.flows.network.saved import judge_saved, save_answers
from lingctl.remote.probe import Answer
from tests.field import FIELD, Case, cases, judge, lingctl, maker
from tests.unit.checks.world import healthy_node, said

FIELD_CASES = cases("answers")
SCOPE = Scope((NodeScope("node1", (0, 1, 2, 3), "192.0.2.1", ("/dev/davinci_manager",)),))
Answers = dict[str, Answer]
END = "(end of the answer)\n"


@pytest.mark.skipif(not FIELD_CASES, reason=f"there are no cases beside this checkout: {FIELD}")
@pytest.mark.parametrize("case", FIELD_CASES, ids=[case["name"] for case in FIELD_CASES])
def test_an_answer_from_the_field_gets_its_verdict(case: Case, tmp_path: Path) -> None:
    maker(FIELD / "answers" / "make_answers.py").main(case["name"], tmp_path / "saved")
    assert not judge(case, lingctl("check-network", "--from", tmp_path / "saved"))


def _slots(text: str) -> str:
    """The same text with slots 10, 12, 14 and 16 for the NPUs 0 to 3."""
    lines = []
    for line in text.splitlines():
        head = line.split("|")[1].split() if line.startswith("|") else []
        chip = len(head) == 2 and head[0].isdigit() and head[1].startswith("910")
        lines.append(line.replace(f"| {head[0]} ", f"| {10 + 2 * int(head[0])} ", 1) if chip else line)
    for card in range(4):
        lines = [line.replace(f"found in NPU {card} |", f"found in NPU {10 + 2 * card} |") for line in lines]
    return "\n".join(lines) + "\n"


def _map(*rows: tuple[object, ...], titles: str = "NPU ID  Chip ID  Chip Logic ID  Chip Name") -> Answer:
    return said(f"{titles}\n" + "".join("  ".join(map(str, (*row, "910B3"))) + "\n" for row in rows))


def _slot_machine(answers: Answers) -> None:
    answers["npus"] = said(_slots(answers["npus"].stdout))
    answers["chips"] = _map(*((10 + 2 * card, 0, card) for card in range(4)))


def _slot_machine_ill(answers: Answers) -> None:
    _slot_machine(answers)
    answers["npus"] = said(answers["npus"].stdout.replace("| 14  910B3 | OK", "| 14  910B3 | Alarm"))


def _slot_machine_without_map(answers: Answers) -> None:
    _slot_machine(answers)
    answers["chips"] = Answer("", "dcmi module initialize failed. ret is -8008", 1)


def _slot_machine_with_a_dropped_card(answers: Answers) -> None:
    _slot_machine(answers)
    answers["chips"] = _map((10, 0, 0), (12, 0, 1), (16, 0, 2))


def _unavailable(answers: Answers) -> None:
    answers["chips"] = _map((0, 0, 0), (1, 0, 1), (-1, 0, 2), (3, 0, 3))


def _unavailable_and_nameless(answers: Answers) -> None:
    answers["chips"] = _map((0, 0, 0), (1, 0, 1), (2, 0, 2), (-1, 0, "-"))


def _swapped(answers: Answers) -> None:
    answers["chips"] = _map((0, 0, 1), (1, 0, 0), (2, 0, 2), (3, 0, 3))


def _map_unknown_to_the_driver(answers: Answers) -> None:
    answers["chips"] = Answer("", "npu-smi: unknown option -m", 1)


def _map_of_odd_words(answers: Answers) -> None:
    answers["chips"] = _map((0, 0, "zero"), (1, 0, 1), (2, 0, 2), (3, 0, 3))


CASES: list[tuple[Callable[[Answers], None], int, str, str]] = [
    (_slot_machine, 0, "0 failure|1 node: [0-9]+ passed", "does not list|otherwise"),
    (_slot_machine_ill, 3, r"card 2\].*says Alarm.*-i 14 -c 0", r"card 14\]"),
    (_slot_machine_without_map, 3, r"cards 0-3\].*nothing tells which row.*-8008", "says OK"),
    (_slot_machine_with_a_dropped_card, 3, "NPU IDs: 10, 12, 16; cards in /dev: 0, 1, 2, 3", "says OK"),
    (_unavailable, 3, r"failure +npu-health \[node1 card 2\]: .*unavailable.*dmesg", r"card 3\]"),
    (_unavailable_and_nameless, 3, "1 of the chips unavailable.*-1", "card 3.*unavailable"),
    (_swapped, 3, r"cards 0-3\].*otherwise than /dev", "says OK"),
    (_map_unknown_to_the_driver, 0, "passed", "unknown  "),
    (_map_of_odd_words, 3, "unknown  card-count.*a row is not understood", "failure"),
]


def _report(change: Callable[[Answers], None]) -> NetworkReport:
    answers = healthy_node(1)
    for question in first_questions(SCOPE, "node1"):
        if question.id in ("disks", "paths", "digests", "image", "service"):
            answers.pop(question.id, None)
    answers["paths"] = said("there /dev/davinci_manager\n(end of the answer)\n")
    answers["disks"] = answers["digests"] = said("(end of the answer)\n")
    change(answers)
    return judged(SCOPE, {"node1": NodeAnswers(answers, {}, True, 1000000.4, 1000000.6)})


@pytest.mark.parametrize(
    ("change", "status", "says", "never"), CASES, ids=[case[0].__name__.strip("_") for case in CASES]
)
def test_each_card_is_judged_by_its_own_row_or_not_at_all(
    change: Callable[[Answers], None], status: int, says: str, never: str, tmp_path: Path
) -> None:
    save_answers(_report(change), tmp_path / "saved")
    ran = lingctl("check-network", "--from", tmp_path / "saved")
    assert not judge({"rc": [status], "wants": [says], "never": [never]}, ran)


def _as_form_1(folder: Path, change: Callable[[Answers], None] = lambda answers: None) -> None:
    """Save the answers as an earlier lingctl did: no list says where it ends."""
    report = _report(change)
    save_answers(report, folder)
    record = report.records["node1"]
    lists = [one.id for one in first_questions(SCOPE, "node1") if has_closing(one.command)]
    answers = {
        name: replace(answer, stdout=answer.stdout.replace(END, "") if name in lists else answer.stdout)
        for name, answer in record.answers.items()
    }
    node = {**asdict(record), "answers": {name: asdict(answer) for name, answer in answers.items()}}
    (folder / "node1.json").write_text(json.dumps(node))
    index = json.loads((folder / "scope.json").read_text())
    (folder / "scope.json").write_text(json.dumps({**index, "version": 1}))


def test_answers_of_an_earlier_lingctl_are_judged_with_a_word_on_what_they_lack(tmp_path: Path) -> None:
    _as_form_1(tmp_path / "saved")
    assert not judge(
        {"rc": [0], "wants": ["note +saved-answers.*earlier lingctl"], "never": ["ends in the middle"]},
        lingctl("check-network", "--from", tmp_path / "saved"),
    )


def test_a_question_that_an_earlier_lingctl_did_not_ask_is_unknown(tmp_path: Path) -> None:
    _as_form_1(tmp_path / "saved")
    node = json.loads((tmp_path / "saved/node1.json").read_text())
    del node["answers"]["chips"]
    (tmp_path / "saved/node1.json").write_text(json.dumps(node))
    assert not judge(
        {"rc": [3], "wants": ["unknown +card-count.*not asked"]},
        lingctl("check-network", "--from", tmp_path / "saved"),
    )


@pytest.mark.parametrize("broken", ["one list has its end", "the node was lost"])
def test_a_list_that_breaks_off_is_not_taken_for_an_early_one(broken: str, tmp_path: Path) -> None:
    _as_form_1(tmp_path / "saved")
    node = json.loads((tmp_path / "saved/node1.json").read_text())
    if broken == "the node was lost":
        node["complete"] = False
    else:
        node["answers"]["pci"]["stdout"] += "(end of the answer)\n"
    (tmp_path / "saved/node1.json").write_text(json.dumps(node))
    report = judge_saved(tmp_path / "saved")
    assert any(one.check == "card-count" and one.verdict.word == "unknown" for one in report.findings)


def test_what_a_later_lingctl_saved_is_refused_with_its_form(tmp_path: Path) -> None:
    save_answers(_report(lambda answers: None), tmp_path / "saved")
    index = json.loads((tmp_path / "saved/scope.json").read_text())
    (tmp_path / "saved/scope.json").write_text(json.dumps({**index, "version": 9}))
    assert not judge(
        {"rc": [2], "wants": ["version 9"]}, lingctl("check-network", "--from", tmp_path / "saved")
    )


@pytest.mark.parametrize("name", ["ping", "ping/x/0/1/10.1.1.2", "hccs/0/9/1/10.1.1.2"])
def test_a_ping_between_cards_that_are_none_is_refused(name: str, tmp_path: Path) -> None:
    pong = said("3 packets transmitted, 3 received, 0.00% packet loss\n")
    record = NodeAnswers({**healthy_node(1), name: pong}, complete=True)
    save_answers(judged(SCOPE, {"node1": NodeAnswers(healthy_node(1))}, {}, ()), tmp_path)
    (tmp_path / "node1.json").write_text(json.dumps(asdict(record)))
    with pytest.raises(ConfigurationError, match="not as it was written"):
        judge_saved(tmp_path)
