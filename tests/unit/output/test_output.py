"""What people and programs read: tables, plans, findings, errors, progress, questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import ConnectError, UsageError
from lingctl.events import Event
from lingctl.findings import Finding, Verdict
from lingctl.output import progress as progress_lines
from lingctl.output.amounts import size
from lingctl.output.errors import print_error, print_error_document
from lingctl.output.findings import print_findings, summary
from lingctl.output.progress import progress
from lingctl.output.questions import confirm
from lingctl.output.screen.board import line
from lingctl.output.screen.terminal import conversation
from lingctl.output.verbs.network import COLUMNS
from lingctl.output.verbs.plans import outcome, plan_json, plan_rows
from lingctl.plan import Plan, Run, Stage, Step
from lingctl.remote.command import command
from lingctl.remote.upload import WriteFile

LINK = Finding("link", Verdict.FAILURE, "link is DOWN", "node2", 5, "link status: DOWN", "look at the cable")
CLOCK = Finding("clock", Verdict.NOTE, "2 s ahead", "node1")
FINE = Finding("mtu", Verdict.PASS, "1500", "node1")


def test_findings_are_printed_worst_first_with_evidence_and_remedy(capsys):
    print_findings([FINE, CLOCK, LINK])
    text = capsys.readouterr().out
    assert text.index("link [node2 card 5]: link is DOWN") < text.index("clock [node1]")
    assert "| link status: DOWN" in text
    assert "fix: look at the cable" in text
    assert "mtu" not in text
    assert summary([FINE, CLOCK, LINK]) == "1 failure, 1 note, 1 passed"


def test_an_error_has_three_parts(capsys):
    error = ConnectError(
        "refused", where="node1", evidence="port 22", remedy="start sshd\nthen again", code="x"
    )
    print_error(error)
    said = capsys.readouterr().err
    assert said == "error: node1: refused  (x)\n     | port 22\n  fix: start sshd\n       then again\n"
    print_error_document(error)
    document = json.loads(capsys.readouterr().out)
    assert (document["where"], document["exit_status"], document["version"]) == ("node1", 4, 1)


def step(stage: Stage, *, change: bool = True, interrupts: bool = False) -> Step:
    actions = (Run(command("true")), WriteFile("/x", b"abc", 0o640))
    state = "change" if change else "in place"
    return Step(stage, "node1", "do it", state, "because", actions if change else (), "", interrupts)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((step(Stage.FILES, change=False),), "Nothing to do: every node is as hosts.yaml asks."),
        ((step(Stage.FILES),), "1 change on 1 node."),
        ((step(Stage.STOP, interrupts=True),), "1 change on 1 node. The service ends."),
        (
            (step(Stage.STOP, interrupts=True), step(Stage.DAEMON, interrupts=True)),
            "2 changes on 1 node. The service is down until the daemons have loaded the model.",
        ),
    ],
)
def test_the_outcome_of_a_plan_in_one_line(steps, words):
    assert outcome(Plan(steps)) == words


def test_nodes_with_the_same_step_share_a_row():
    def on(node: str, reason: str = "missing") -> Step:
        return Step(Stage.FILES, node, "write x", "change", reason)

    two = Plan((on("a"), on("b"), on("c", "mode is 0644")))
    assert plan_rows(two) == [
        ("files", "a, b", "write x: missing"),
        ("files", "c", "write x: mode is 0644"),
    ]
    four = Plan(tuple(on(node) for node in "abcd"))
    assert [row[1] for row in plan_rows(four)] == ["all 4 nodes"]
    five = Plan((*four.steps, on("e", "other")))
    assert [row[1] for row in plan_rows(five)] == ["a, b ... (4 nodes)", "e"]


def test_a_plan_is_data():
    document = plan_json(Plan((step(Stage.FILES),)))
    assert document["empty"] is False
    (only,) = document["steps"]
    assert only["actions"][0]["run"] == "true"
    assert only["actions"][1] == {"write": "/x", "mode": "0640", "bytes": 3}


def test_progress_in_a_pipe_is_one_line_per_change_of_state(capsys):
    with progress() as listener:
        listener(Event("convert", "started", "node1"))
        for done in range(50):
            listener(Event("convert", "progress", "node1", done=done, total=50))
        listener(Event("convert", "done", "node1"))
    assert capsys.readouterr().err.splitlines() == ["node1: convert …", "node1: convert done"]


def test_what_goes_on_is_said_ever_more_seldom_in_a_pipe(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress_lines.time, "monotonic", lambda: now)
    lines = progress_lines._Lines(conversation())
    said = list[float]()
    for second in range(400):
        now = 1_000.0 + second
        lines._print([Event("load", "progress" if second else "started", "node1")])
        said += [second] * bool(capsys.readouterr().err)
    assert said == [0, 10, 30, 70, 150, 230, 310, 390]


def test_lines_name_node_task_and_amount():
    assert line(Event("copy", "progress", "n", done=5, total=10)) == "n: copy … 50% of 10 B"
    assert line(Event("copy", "failed", "n", "disk full")) == "n: copy FAILED disk full"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (33_603_948_544, "33.6 GB")])
def test_sizes_are_decimal(count, text):
    assert size(count) == text


def test_without_a_terminal_consent_is_asked_by_naming_the_command(monkeypatch):
    monkeypatch.setattr("sys.argv", ["lingctl", "deploy", "--nodes", "my hosts.yaml"])
    with pytest.raises(UsageError) as caught:
        confirm("Do this?", yes=False)
    assert caught.value.remedy.endswith("lingctl deploy --nodes 'my hosts.yaml' --yes")
    assert confirm("Do this?", yes=True)


def test_the_tables_in_the_readme_have_the_columns_that_are_printed():
    readme = (Path(__file__).parents[3] / "README.md").read_text().splitlines()
    shown = next(text.split() for text in readme if text.startswith("node   ssh"))
    assert shown == ["node", *(column for column in COLUMNS if column != "pod")]
    assert any(text.split() == ["stage", "nodes", "step"] for text in readme)
