"""Many questions in one script: a node is asked once, and each answer keeps its own streams and status.

The script is plain POSIX sh, which hands the questions to one process of the node's Python, and asks them
itself where there is none that could. Questions run one after the other (hccn_tool must not run twice at a
time on one node), and beside them, in a second line, those that ask no card; each with its own time limit and
nothing on its standard input. Answers are
framed with a mark that no tool prints; what a login banner printed before the first frame is passed over,
and an answer counts only if the last frame arrived too. Where there is no room for one, the script ends.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingctl.assets import node_text, shell
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Connection

TIMED_OUT = 124
_MARK = "\x1e"
_END = "lingctl-end"
_ASK = shell("ask/probe")
_ASKER = node_text("asker")


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask a node."""

    id: str  # name of the answer; without blanks
    command: Command  # what to run
    timeout: float = 10.0  # seconds; passing it is an answer of its own
    # once a question of a group has passed its time limit, the rest of the group is not asked and has no
    # answer: a card that does not become ready would block every one of them
    group: str = ""
    # whether it may be asked while another is: it asks no card, and nothing that a card's tool asks too
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command said."""

    stdout: str  # as text, undecodable bytes replaced
    stderr: str  # likewise
    exit_status: int  # of the command; 124 when its time limit passed

    @property
    def timed_out(self) -> bool:
        """Whether its time limit passed."""
        return self.exit_status == TIMED_OUT


class Answers(dict[str, Answer]):
    """The answers by question id.

    Attributes:
        complete: whether the script ran to its end; what is missing then is unknown, not absent.
    """

    def __init__(self, answers: Mapping[str, Answer], complete: bool) -> None:
        super().__init__(answers)
        self.complete = complete


def probed(connection: Connection, questions: Sequence[Question], title: str = "ask the node") -> Answers:
    """Ask a node all questions, by one script."""
    script = probe_script(questions, title)
    return read_answers(connection.run(script, timeout=probe_timeout(questions)).stdout)


def probe_script(questions: Sequence[Question], title: str = "ask the node") -> Command:
    """One script that asks all questions in their order."""
    arguments: list[str] = []
    for question in questions:
        arguments += [question.id, f"{question.timeout:g}", question.command.text, question.group or "-"]
        arguments.append("beside" if question.beside else "-")
    return script(_ASK, _ASKER, *arguments, title=title)


def probe_timeout(questions: Sequence[Question]) -> float:
    """Seconds that the script may take at the very most."""
    return 30 + sum(question.timeout for question in questions)


def read_answers(stdout: str) -> Answers:
    """The answers in a script's output."""
    _, *frames = stdout.split(_MARK)
    answers: dict[str, Answer] = {}
    complete = False
    for index, frame in enumerate(frames):
        head, _, body = frame.partition("\n")
        if head.strip() == _END:
            complete = True
        # Both streams are whole only when something came after them.
        elif head and index + 2 < len(frames):
            answer = _answer(head.split(), body, frames[index + 1])
            if answer:
                answers[sys.intern(head.split()[0])] = answer
    return Answers(answers, complete)


def _answer(head: list[str], out: str, err: str) -> Answer | None:
    try:
        _, status = head
        return Answer(_decoded(out), _decoded(err), int(status))
    except ValueError:
        return None


def _decoded(text: str) -> str:
    return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
