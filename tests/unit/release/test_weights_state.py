"""What is known of a node's folders of weights after one question for all of them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from lingctl.node.trouble import Trouble
from lingctl.node.weights import program
from lingctl.release.state import FOLDERS
from lingctl.release.weights_state import WEIGHTS, WeightsState, WeightsUnknown, read_weights
from lingctl.remote.probe import Answer, Answers


def told(*folders: str) -> str:
    """What the node program prints for these folders."""
    parser = argparse.ArgumentParser()
    program.add_arguments(parser)
    result = program.run(parser.parse_args(["inspect", *folders]), lambda event: None)
    return json.dumps({"event": "result", **result})


def read(answer: Answer) -> dict[str, WeightsState | WeightsUnknown]:
    return read_weights(Answers({WEIGHTS: answer}, complete=True), FOLDERS)


def test_folders_are_told_apart_in_the_order_of_the_question(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/pytorch_model.bin").write_bytes(b"")
    states = read(Answer(told("/nowhere", str(tmp_path / "old"), str(tmp_path)), "", 0))
    forms = {name: state.form for name, state in states.items() if isinstance(state, WeightsState)}
    assert forms == {"downloaded": "none", "converted": "bin", "folded": "none"}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Trouble("cannot be read", where="/b/config.json"), "/b/config.json: cannot be read"),
        (PermissionError(13, "Permission denied", "/b/x"), "/b/x"),
        (TypeError("len"), "TypeError: len"),
    ],
)
def test_a_folder_that_cannot_be_looked_at_hides_no_other(
    error: Exception, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = program.inspect

    def inspect(folder: str, user: int | None) -> dict[str, object]:
        if folder == "/b":
            raise error
        return right(folder, user)

    monkeypatch.delenv("LINGCTL_DEBUG", raising=False)
    monkeypatch.setattr(program, "inspect", inspect)
    states = read(Answer(told("/a", "/b", "/c"), "", 0))
    assert isinstance(states["downloaded"], WeightsState) and isinstance(states["folded"], WeightsState)
    unknown = states["converted"]
    assert isinstance(unknown, WeightsUnknown) and why in unknown.why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer("", "", 124), "no answer in time"),
        (Answer("", "python3: not found", 127), "python3: not found"),
        (Answer('{"event": "error", "what": "killed", "where": "node.pyz"}\n', "", 1), "node.pyz: killed"),
        (Answer('{"event": "result"}\n', "", 0), "not understood"),
        (Answer('{"event": "result", "folders": [{"event": "result"}]}\n', "", 0), "not understood"),
        (Answer('{"event": "result", "folders": [5, [], {"event": "result"}]}\n', "", 0), "not understood"),
        (Answer('{"event": "result", "folders": [{"event": 5}, null, {}]}\n', "", 0), "not understood"),
    ],
)
def test_what_is_not_told_is_not_known_of_any(answer: Answer, why: str) -> None:
    states = read(answer)
    assert list(states) == list(FOLDERS)
    assert all(isinstance(state, WeightsUnknown) and why in state.why for state in states.values())
