"""The first look of a deploy: what did not answer is not known, and neither absent nor dead."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lingctl.errors import NodeError
from lingctl.flows.look.first_look import first_look
from lingctl.flows.look.node_states import look_of
from lingctl.release.weights_state import WeightsUnknown
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed
from lingctl.remote.group import Group
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1")
ALIVE, PYTHON = "alive 42\nabcd\n", "python 3 11 1 /usr/bin/python3 3.11.7\n"
Said = dict[str, tuple[int, str]]
WHOLE: Said = {"elsewhere": (0, ""), "daemon": (0, ALIVE), "weights": (0, PYTHON)}


@dataclass
class Node:
    """Answers a probe with these texts and statuses."""

    said: Said
    node: str = "node1"
    asked: str = ""

    def run(self, command: Command, *, timeout: float, on_output: Callable[[bytes], None]) -> Completed:
        self.asked = command.text
        for name, (status, text) in self.said.items():
            told = base64.b64encode(text.encode()).decode()
            on_output(f"\x1e{name} {status}\n{told}\n\x1e\n".encode())
        on_output(b"\x1elingctl-end\n")
        return Completed(command, 0, "", "")


def look(said: Said):
    return first_look(Group({"node1": Node(said)}), CLUSTER, look_of(CLUSTER))


def test_a_node_that_answers_all_is_seen():
    seen = look(WHOLE)
    assert seen.running is not None
    assert seen.said == {"node1": PYTHON}


def test_the_daemon_is_looked_at_last_and_the_clock_first():
    node = Node(WHOLE)
    first_look(Group({"node1": node}), CLUSTER, look_of(CLUSTER))
    asked = shlex.split(node.asked)[5::5]
    assert (asked[0], asked[-2:]) == ("clock", ["weights", "daemon"])


def test_what_our_program_says_counts_only_where_it_was_run():
    """Where it differs, or has to be run by the image, it is asked once it is there."""
    seen = look(WHOLE)
    assert seen.running is not None and seen.running.states is None
    state = dict.fromkeys(("runtime", "image", "overlay-names", "releases", "journal"), (0, ""))
    files = {f"file:{path}": (0, "absent\n") for path in look_of(CLUSTER).paths}
    inspect = [(1, "error", {"what": "no disk"}), (0, "error", {"what": "dead mount"})]
    told = [
        json.dumps({"event": "folder", "number": number, "answer": {"event": event, **answer}})
        for number, event, answer in inspect
    ]
    program = "\n".join([f"{PYTHON}what it says:", *told]) + "\n"
    whole = {**WHOLE, **state, **files, "container": (0, "[]"), "weights": (124, program)}
    with pytest.raises(NodeError) as raised:
        look(whole)
    assert raised.value.code == "container-unreadable"
    described = [{"State": {"Status": "running"}, "Config": {"Labels": {}}}]
    found = look({**whole, "container": (0, json.dumps(described))})
    assert found.said == {"node1": PYTHON}
    assert found.running is not None and found.running.states is not None
    node = found.running.states["node1"]
    assert (node.downloaded, node.converted, node.folded) == (
        WeightsUnknown("dead mount"),
        WeightsUnknown("no disk"),
        WeightsUnknown("no answer in time"),
    )


@pytest.mark.parametrize("question", WHOLE)
@pytest.mark.parametrize("left", [None, (124, "")])
def test_what_did_not_answer_in_time_is_not_known(question: str, left: tuple[int, str] | None):
    said = {name: left if name == question else answer for name, answer in WHOLE.items()}
    with pytest.raises(NodeError) as raised:
        look({name: answer for name, answer in said.items() if answer is not None})
    assert raised.value.where.startswith("node1")
    assert "no Python" not in str(raised.value) and "neither Python" not in str(raised.value)
    if question == "elsewhere":  # docker is the one that is used, and answered
        assert raised.value.code == "podman-down"
