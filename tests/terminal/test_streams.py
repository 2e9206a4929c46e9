"""Closed, full and unread output: every verb ends quietly, with the status that its work has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingctl.cli.app import VERBS
from tests.terminal.every_verb import MODES
from tests.terminal.test_signals import ROOT

LOST = "answer-lost"
# What each verb is told, where it needs more than its name to do something of its own.
WORDS = {
    "models": [],
    "init": ["--show"],
    "capacity": ["Ling-lite", "--cards", "8"],
    "verify-weights": ["."],
    "convert": ["."],
    "download": ["nothing/such", "--source", "/nowhere"],
    "npu-check": ["--device", "cpu", "--cards", "99"],
    "smoke-test": ["--url", "http://127.0.0.1:9"],
    "prove": ["--url", "http://127.0.0.1:9", "--weights", "."],
    "bench": ["--url", "http://127.0.0.1:9"],
    "batch": [__file__, "-o", "out.jsonl", "--url", "http://127.0.0.1:9"],
    "patch": ["status"],
    "lock": ["status"],
    "explain": ["EI0006"],
    "export": ["kubernetes"],
    "sandbox": ["faults"],
    "check-network": ["--from", "/nowhere"],
    "bundle": ["--no-such-option"],  # what it does takes minutes
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict]:
    """How each verb ended in each mode, by its words and the mode."""
    lines = [[verb, *WORDS.get(verb, [])] for verb in VERBS]
    lines += [["--version"], ["-h"], ["deploy", "-h"], ["no-such-verb"]]
    asked = [[mode, *words] for words in lines for mode in MODES]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.terminal.every_verb"],
        input=json.dumps(asked),
        cwd=tmp_path_factory.mktemp("nothing here"),
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(asked), done.stderr
    return {(" ".join(words), mode): outcome for (mode, *words), outcome in zip(asked, said, strict=True)}


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "as it is"])
def test_every_verb_ends_quietly_with_its_own_status(outcomes, mode: str):
    wrong = {}
    for (words, seen_in), outcome in outcomes.items():
        if seen_in != mode:
            continue
        as_it_is = outcomes[words, "as it is"]
        # An answer that a full disk swallowed is a failure, where nothing else was; nobody reading is none.
        lost = mode.startswith(">/dev/full") and not as_it_is["status"] and as_it_is["out"]
        wanted = 1 if lost else as_it_is["status"]
        loud = "Traceback" in outcome["err"] or "lingctl itself failed" in outcome["err"]
        told = LOST in outcome["err"]
        if outcome["status"] != wanted or loud or (mode == ">/dev/full" and bool(lost) != told):
            wrong[words] = outcome
    assert not wrong


def test_the_verbs_do_what_they_are_meant_to_do_here(outcomes):
    """Else the test above would compare one mistake with another."""
    statuses = {words: outcome["status"] for (words, mode), outcome in outcomes.items() if mode == "as it is"}
    assert statuses["-h"] == statuses["deploy -h"] == statuses["--version"] == 0
    assert statuses["models"] == statuses["init --show"] == statuses["sandbox faults"] == 0
    assert statuses["status"] == statuses["no-such-verb"] == 2
    assert statuses["smoke-test --url http://127.0.0.1:9"] == 4
    assert set(statuses.values()) >= {0, 1, 2, 4}
    assert not any("itself failed" in outcome["err"] for outcome in outcomes.values())


def test_the_answer_arrives_without_its_conversation(outcomes):
    assert outcomes["models", "2>/dev/full"]["out"] == outcomes["models", "as it is"]["out"] != ""


@pytest.mark.parametrize("mode", [">/dev/full", "| head"])
def test_errors_are_told_without_the_answer(outcomes, mode: str):
    assert "hosts.yaml: there is no such file" in outcomes["status", mode]["err"]


def test_the_installed_command_itself(tmp_path: Path):
    """With real pipes and a real shell, and Python's own start and end."""
    lingctl = Path(sys.executable).with_name("lingctl")
    for line, status in (
        ("models | head -n 1", "0 0"),
        ("models 2>&1 | head -c 1", "0 0"),
        ("models >/dev/full", "1"),
        ("models 2>&-", "0"),
        ("status >&-", "2"),
        ("models >&- 2>&- <&-", "0"),
        ("status 2>&1 >/dev/full | cat >/dev/null", "2 0"),
    ):
        script = f'"$0" {line}; echo "${{PIPESTATUS[@]}}" >"$1"; exit 0'
        seen = tmp_path / "status"
        done = subprocess.run(
            ["bash", "-c", script, lingctl, seen], capture_output=True, text=True, cwd=tmp_path, timeout=120
        )
        assert seen.read_text().strip() == status, (line, done.stderr)
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
