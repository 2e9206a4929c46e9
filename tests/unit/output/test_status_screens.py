"""status in a pipe and as JSON, once and again and again."""

from __future__ import annotations

import json

import pytest

from lingctl.flows.look.status.cluster_status import NodeStatus, unjudged
from lingctl.output.verbs.status import print_status, watch_status
from tests.unit.flows.test_status import TWO

WELL = NodeStatus("node1", True, "running", "running", 9, "r", "-", (1025,), {0: 50000}, "ready", ())
DEAD = NodeStatus("node2", True, "running", "dead", 0, problems=("the daemon ended",))


def test_the_last_line_says_what_to_type(capsys: pytest.CaptureFixture[str]):
    print_status("c", [WELL, DEAD], "not judged: x", as_json=False)
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["node", "node1", "node2"]
    assert said.err.splitlines() == ["not judged: x", "fix: lingctl deploy"]
    print_status("c", [WELL, DEAD], "", as_json=True)
    assert json.loads(capsys.readouterr().out)["fix"] == "lingctl deploy"


def test_watched_in_a_pipe_each_look_is_a_block_with_its_time(capsys: pytest.CaptureFixture[str]):
    watch_status("c", iter([[WELL], [WELL, DEAD]]), "", 2, as_json=False)
    blocks = capsys.readouterr().out.split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [3, 5, 0]
    assert all(block.startswith("c  20") for block in blocks[:2])
    assert blocks[1].endswith("fix: lingctl deploy")


def test_watched_as_json_each_look_is_a_line(capsys: pytest.CaptureFixture[str]):
    watch_status("c", iter([[WELL], [WELL, DEAD]]), "", 2, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(line["nodes"]) for line in lines] == [1, 2]
    assert all(line["document"] == "status" and line["time"].endswith("Z") for line in lines)


def test_what_was_left_out_is_named_with_what_it_leaves_open():
    assert unjudged(TWO, []) == ""
    assert "node2 was not asked" in unjudged(TWO, ["node2"]) and "service" not in unjudged(TWO, ["node2"])
    assert "the service of node1" in unjudged(TWO, ["node1"])
