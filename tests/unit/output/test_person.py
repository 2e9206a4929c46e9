"""What the person at the terminal is shown of a planned change."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from lingctl.errors import UsageError
from lingctl.findings import Finding, Verdict
from lingctl.flows.run.proposal import Proposal
from lingctl.output.person import Terminal
from lingctl.output.verbs import plans
from lingctl.plan import Plan, Run, Stage, Step
from lingctl.remote.command import command

WARNING = Finding("clock", Verdict.WARNING, "2 s ahead", "node1")
RUN = (Run(command("true")),)
PLAN = Plan(
    (
        Step(Stage.FILES, "node1", "write a", "change", "missing", RUN, "+text of a"),
        Step(Stage.FILES, "node1", "write b", "in place", "as wanted"),
    )
)


def shown(capsys: pytest.CaptureFixture[str], proposal: Proposal[None], **options: bool) -> str:
    Terminal(**options).show(proposal)
    said = capsys.readouterr()
    assert said.out == ""  # standard output is for answers
    return said.err


def proposal(plan: Plan = PLAN, **more: Any) -> Proposal[None]:
    return Proposal(command="lingctl try", question="Do it?", plan=plan, **more)


def test_heading_findings_plan_and_remarks_in_this_order(capsys):
    said = shown(capsys, proposal(heading="Back to A:", findings=(WARNING,), remarks=("Later.",)))
    parts = ("Back to A:", "2 s ahead", "write a", "1 more in place: files", "1 change on", "Later.")
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    assert "write b" not in said and "+text of a" not in said


def test_differences_are_shown_to_who_asks_for_them(capsys):
    assert "+text of a" in shown(capsys, proposal(), differences=True)


def test_a_proposal_that_tells_more_itself_takes_the_place_of_the_table(capsys):
    assert shown(capsys, proposal(instead=("node1: absent",))) == "node1: absent\n"


def test_an_empty_plan_is_told_in_the_words_of_its_verb(capsys):
    said = shown(capsys, proposal(Plan(), wanted="release A has it"))
    assert "Nothing to do: every node is as release A has it." in said


def test_whoever_agreed_beforehand_is_not_asked_and_without_a_terminal_nobody_can_be():
    assert Terminal(yes=True).agrees(proposal())
    with pytest.raises(UsageError) as caught:
        Terminal().agrees(proposal())
    assert caught.value.code == "needs-consent"


def test_a_long_plan_leaves_room_for_the_question_and_d_has_all_of_it(monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, color_system=None)
    monkeypatch.setattr(plans, "conversation", lambda: console)
    steps = [
        Step(Stage.FILES, f"node{node}", f"write file {number}", "change", "content differs", RUN)
        for node in range(64)
        for number in range(30)
        if number % (node + 1) == 0
    ]
    plan = Plan(tuple(steps))
    plans.print_plan(plan, short=True)
    said = file.getvalue()
    assert said.count("\n") <= 20 and "more rows: d shows them" in said
    rows = plans.plan_rows(plan)
    assert plans.rows_left_out(plan) == len(rows) - said.count("write file") > 0
    details = "\n".join(line.plain for line in plans.plan_details(plan, rows=True))
    assert all(f"{nodes}: {step}" in details for _, nodes, step in rows)
