"""A program's trouble is the same error with the same exit status, whichever verb asked."""

from __future__ import annotations

import json

import pytest

from lingctl.errors import LingctlError, LockedError, NodeError, UsageError, WeightsError
from lingctl.flows.run.execute import run_step
from lingctl.node.trouble import Trouble
from lingctl.plan import Run, Stage, Step
from lingctl.program.answers import Answers, read_answers
from lingctl.program.translate import program_error, troubles_as_errors
from lingctl.remote.command import command
from lingctl.remote.local import LocalConnection
from tests.unit.unwritten import UNWRITTEN

TROUBLES = [
    (Trouble("another conversion is writing there", code="locked", exit_status=5), LockedError, 5),
    (Trouble("another download is filling this folder", code="download-running"), LockedError, 5),
    (Trouble("no such option", code="usage", exit_status=2), UsageError, 2),
    (Trouble("the disk is full", code="disk-full"), NodeError, 1),
    (Trouble("MindIE runs from this tree", code="overlay-running"), NodeError, 1),
    (Trouble("the archive was cut short", where="x.bin", code="zip-truncated"), WeightsError, 1),
]


@pytest.mark.parametrize(("trouble", "kind", "status"), TROUBLES)
def test_it_is_the_same_on_a_node_in_a_step_and_here(trouble: Trouble, kind: type[LingctlError], status: int):
    said = json.dumps(trouble.as_event())
    on_a_node = program_error(read_answers(f"noise\n{said}\n").last, "node1")
    step = Step(Stage.WEIGHTS, "node1", "convert", "change", "", actions=(Run(command("echo", said)),))
    with pytest.raises(LingctlError) as in_a_step:
        run_step(LocalConnection("node1"), step, lambda event: None, UNWRITTEN)
    with pytest.raises(LingctlError) as here, troubles_as_errors():
        raise trouble
    for error in (on_a_node, in_a_step.value, here.value):
        assert (type(error), error.exit_status, error.code) == (kind, status, trouble.code)
        assert trouble.what in error.what
    assert on_a_node.where == in_a_step.value.where == " ".join(filter(None, ("node1", trouble.where)))


def test_lines_are_understood_in_whatever_pieces_they_come():
    heard: list[object] = []
    answers = Answers(heard.append)
    text = b'Unable to find image\n{"event": "progress", "done": 1}\n{broken\n[1]\n'
    text += b'{"event":"result","a":"\xc3\xa9"}\n'
    for number in range(len(text)):
        answers(text[number : number + 1])
    assert heard == [{"event": "progress", "done": 1}]
    assert answers.result == {"event": "result", "a": "é"} and answers.trouble is None


def test_an_answer_that_lacks_words_is_an_error_all_the_same():
    error = program_error({"event": "error"}, "node1")
    assert (error.where, error.exit_status) == ("node1", 1)


def test_no_answer_is_neither_result_nor_trouble():
    answers = read_answers("Traceback ...\n")
    assert (answers.result, answers.trouble, dict(answers.last)) == (None, None, {})
