"""The consoles of a real MindIE-LLM 3.0.0 server, on one node and two, each with the verdict of its index.

The verdicts were written down by hand from ``consoles/INDEX.md`` and ``two-nodes/INDEX.md``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.engine.logs import Diagnosis, Explanation
from lingctl.engine.words.log_lines import read_lines
from lingctl.flows.change.watch_start import death
from lingctl.flows.look.daemon import DaemonSight
from lingctl.mindie.logs.daemon_life import read_life
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from tests.unit.release.conftest import cluster_of

diagnose = MINDIE_LOGS.diagnose
exit_meaning = MINDIE_LOGS.exit_meaning
explain = MINDIE_LOGS.explain
explain_waiting = MINDIE_LOGS.explain_waiting
first_errors = MINDIE_LOGS.first_errors
waits_for_ever = MINDIE_LOGS.waits_for_ever

REAL = Path(__file__).parents[4] / "shared" / "samples" / "mindie-3.0.0"
SUCCESS = "Daemon start success!"
TAIL = 40_000  # bytes of a console that are watched

# console: exit status, the explanation that stands first (none: nothing is wrong).
ONE_NODE = {
    "start-good": ("", None),
    "config-wrong-type": ("137", "A8"),
    "config-missing-field": ("137", "A7"),
    "config-prefill-below-input": ("137", "A14"),
    "config-mode-666": ("137", "A1"),
    "no-weights": ("137", "A35"),
    "foreign-address": ("137", "D2"),
    "port-in-time-wait": ("137", "D1"),
    "port-in-time-wait-no-word": ("137", "D13"),
    "weights-truncated": ("134", "B11"),
    "weights-folder-777": ("134", "B2"),
    "exception-in-warm-up": ("134", "W3"),
    "tokenizer-cannot-start": ("137", "D15"),
    "tokenizers-busy": ("", "D12"),
    "stopped-by-sigterm": ("134", "S1"),
    "died-by-one-request": ("134", "R1"),
    "died-worker-killed": ("134", "W1"),
    "stopped-after-client-mistakes": ("134", "S1"),
    "requests": ("", None),
}
# What may be said of a console whose last lines are missing: never a wrong cause.
WITHOUT_ITS_END = {
    "config-wrong-type": {"A8", "A36"},
    "config-missing-field": {"A7", "A36"},
    "config-prefill-below-input": {"A14", "A36"},
    "config-mode-666": {"A1", "A36"},
    "no-weights": {"A35", "A36"},
    "foreign-address": {"D2", "D13", "D15", "D16"},
    "port-in-time-wait": {"D1", "D13", "D15", "D16"},
    "port-in-time-wait-no-word": {"D13", "D15", "D16"},
    "weights-truncated": {"B11", "W8"},
    "weights-folder-777": {"B2", "W8"},
    "exception-in-warm-up": {"W3", "W9"},
    "tokenizer-cannot-start": {"D15", "D16"},
    "stopped-by-sigterm": {"S1"},
    "died-by-one-request": {"R1", "W9"},
    "died-worker-killed": {"W1", "W9"},
    "stopped-after-client-mistakes": {"S1"},
}
# case: exit statuses, the node to blame and its explanation, with both consoles to their end; the collector
# stopped what still ran.
TWO_NODES = {
    "start-good": ({"node1": "134", "node2": "134"}, "node1", "S1"),
    "setsid": ({"node1": "255"}, "node1", "A37"),
    "no-tp": ({"node1": "134", "node2": "134"}, "node1", "A39"),
    "tp-1": ({"node1": "134", "node2": "134"}, "node1", "A39"),
    "worldSize-2-tp-2": ({"node1": "137", "node2": "137"}, "node1", "A10"),
    "follower-absent": ({"node1": "134"}, "node1", "E1"),
    "master-absent": ({"node2": "134"}, "node2", "E2"),
    "follower-first-master-late": ({"node1": "134", "node2": "134"}, "node1", "S1"),
    "master-first-follower-late": ({"node1": "134", "node2": "134"}, "node1", "S1"),
    "follower-worker-killed-loading": ({"node1": "134", "node2": "134"}, "node2", "W8"),
    "follower-daemon-killed-loading": ({"node1": "134", "node2": "137"}, "node2", "W10"),
    "master-daemon-killed-loading": ({"node1": "137", "node2": "134"}, "node1", "W10"),
    "follower-daemon-killed-serving": ({"node1": "134", "node2": "137"}, "node2", "W10"),
    "follower-worker-killed-serving": ({"node1": "134", "node2": "134"}, "node2", "W1"),
    "master-daemon-killed-serving": ({"node1": "137", "node2": "134"}, "node1", "W10"),
    "master-worker-killed-serving": ({"node1": "134", "node2": "134"}, "node1", "W1"),
    # The line of the signal is among those that the collector left out.
    "sigterm-master-then-follower": ({"node1": "134", "node2": "134"}, "node1", "S2"),
    "sigterm-follower-then-master": ({"node1": "134", "node2": "134"}, "node2", "S1"),
    "table-node2-other-order": ({"node1": "134", "node2": "134"}, "node2", "E24"),
    "table-node2-list-order-same-ranks": ({"node1": "134", "node2": "134"}, "node1", "S1"),
    "table-node2-other-device-ip": ({"node1": "134", "node2": "134"}, "node1", "S1"),
    "table-node2-server-count-3": ({"node1": "134", "node2": "137"}, "node2", "A21"),
    "table-node2-only-itself": ({"node1": "134", "node2": "137"}, "node2", "A20"),
    "table-server-count-number": ({"node1": "137", "node2": "137"}, "node1", "A25"),
    "container-ip-not-in-table": ({"node1": "134", "node2": "137"}, "node2", "A12"),
    "no-RANK_TABLE_FILE": ({"node1": "137", "node2": "137"}, "node1", "A19"),
    "config-node2-maxSeqLen": ({"node1": "134", "node2": "134"}, "node1", "A41"),
    "config-node2-modelName": ({"node1": "134", "node2": "134"}, "node1", "S1"),
    "config-node2-single-node": ({"node1": "134", "node2": "134"}, "node2", "A38"),
    "registration-port-taken": ({"node1": "134", "node2": "134"}, "node1", "D3"),
    "follower-has-masters-addresses": ({"node1": "134", "node2": "134"}, "node1", "S1"),
}
# The same cases as an operator meets them: what the collector stopped at the end still runs.
STILL_RUNS = {
    "no-tp": ("node1", "A39"),
    "follower-worker-killed-loading": ("node2", "W8"),
    "follower-daemon-killed-loading": ("node2", "W10"),
    "master-daemon-killed-loading": ("node1", "W10"),
    "master-daemon-killed-serving": ("node1", "W10"),
    "master-worker-killed-serving": ("node1", "W1"),
    "table-node2-other-order": ("node2", "E24"),
    "table-node2-server-count-3": ("node2", "A21"),
    "table-node2-only-itself": ("node2", "A20"),
    "container-ip-not-in-table": ("node2", "A12"),
    "config-node2-maxSeqLen": ("node1", "A41"),
    "config-node2-single-node": ("node2", "A38"),
    "registration-port-taken": ("node1", "D3"),
    "start-good": None,
    "follower-first-master-late": None,
    "table-node2-other-device-ip": None,
}

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the shared samples are not beside this checkout")


def console(name: str) -> str:
    return (REAL / "consoles" / f"{name}.log").read_text()


def two_consoles(case: str) -> dict[str, str]:
    paths = {node: REAL / "two-nodes" / f"{case}.{node}.log" for node in ("node1", "node2")}
    return {node: path.read_text() for node, path in paths.items() if path.exists()}


def first(text: str, status: str = "") -> str | None:
    explained = explain(text, status=status)
    return explained[0].id if explained else None


def verdict(found: Diagnosis | None) -> tuple[str, str] | None:
    return (found.node, found.explanation.id) if found and found.explanation else None


def causes(explained: list[Explanation]) -> set[str]:
    return {one.id for one in explained if one.kind in ("cause", "network")}


def before_the_stop(text: str) -> tuple[str, bool]:
    """What a daemon had printed before the collector stopped it, and whether that was its end."""
    lines = read_lines(text)
    end = read_life(lines).end
    if end is None or end.kind != "stopped":
        return text, True
    return "\n".join(line.text for line in lines[: end.at]), False


def test_every_console_has_a_verdict_here():
    assert {path.stem for path in (REAL / "consoles").glob("*.log")} == set(ONE_NODE)
    assert {path.name.split(".")[0] for path in (REAL / "two-nodes").glob("*.log")} == set(TWO_NODES)


@pytest.mark.parametrize("name", ONE_NODE)
def test_a_console_of_one_node_gets_its_verdict(name: str):
    status, wanted = ONE_NODE[name]
    assert first(console(name), status) == wanted


@pytest.mark.parametrize("name", ONE_NODE)
def test_no_other_cause_stands_beside_the_right_one(name: str):
    status, wanted = ONE_NODE[name]
    assert causes(explain(console(name), status=status)) <= {wanted}


@pytest.mark.parametrize("name", ONE_NODE)
def test_the_watched_end_of_a_console_says_the_same_as_the_whole(name: str):
    status, wanted = ONE_NODE[name]
    text = console(name)
    for size in (TAIL, 15_000, 9_000):
        success = next((line for line in text.splitlines() if SUCCESS in line), None)
        end = text[-size:] if success is None or len(text) <= size else f"{success}\n{text[-size:]}"
        # What went before the cut is not there to be told.
        told = first(end, status)
        assert told == wanted or (size < TAIL and told in ("W9", "S2", "W5"))


@pytest.mark.parametrize("name", WITHOUT_ITS_END)
def test_a_console_without_its_last_lines_is_not_explained_wrongly(name: str):
    lines = console(name).splitlines()
    status = ONE_NODE[name][0]
    told = [first("\n".join(lines[: len(lines) - cut]), status) for cut in range(1, min(20, len(lines) - 3))]
    assert set(told) <= WITHOUT_ITS_END[name]


@pytest.mark.parametrize("case", TWO_NODES)
def test_of_two_nodes_the_right_one_is_blamed(case: str):
    statuses, node, wanted = TWO_NODES[case]
    assert verdict(diagnose(two_consoles(case), set(statuses), statuses=statuses)) == (node, wanted)


@pytest.mark.parametrize("case", STILL_RUNS)
def test_of_two_nodes_the_right_one_is_blamed_while_the_other_still_runs(case: str):
    seen = {node: before_the_stop(text) for node, text in two_consoles(case).items()}
    ended = {node for node, (_, over) in seen.items() if over}
    statuses = {node: TWO_NODES[case][0][node] for node in ended}
    logs = {node: text for node, (text, _) in seen.items()}
    assert verdict(diagnose(logs, ended, statuses=statuses)) == STILL_RUNS[case]


def test_a_general_code_of_a_failed_start_is_no_cause():
    explained = explain(console("config-wrong-type"), status="137")
    assert [one.id for one in explained if one.kind == "cause"] == ["A8"]
    assert all(one.kind == "consequence" for one in explained if "MIE04E02011C" in one.line)


def test_words_of_refused_requests_are_no_causes_of_a_later_death():
    for name in ("died-worker-killed", "stopped-after-client-mistakes"):
        shown = "\n".join(first_errors(console(name)))
        assert "requestId" not in shown and "Service is abnormal" not in shown
    assert causes(explain(console("requests"))) == set()


def test_the_errors_of_a_good_start_are_none():
    text = console("start-good")
    assert explain(text) == [] and explain(text, status="") == []
    assert not any("Service is abnormal" in line for line in first_errors(text))


def test_exit_statuses_say_what_they_can_tell_and_what_they_cannot():
    assert all(word in exit_meaning("134") for word in ("stop", "worker", "request", "log tells"))
    assert all(word in exit_meaning("137") for word in ("refuses its start", "memory", "kill -9"))
    assert all(word in exit_meaning("255") for word in ("command line", "process group"))


def test_a_port_in_time_wait_is_not_to_be_stopped_but_waited_for():
    for name in ("port-in-time-wait", "port-in-time-wait-no-word"):
        one = explain(console(name), status="137")[0]
        assert "TIME_WAIT" in one.cause
        assert "ss -tan" in one.remedy and "minute" in one.remedy


def test_what_is_told_from_missing_lines_is_called_likely():
    assert explain(console("port-in-time-wait-no-word"), status="137")[0].confidence == "likely"
    assert explain(console("port-in-time-wait"), status="137")[0].confidence == "certain"
    error = death(
        cluster_of("node1"), {"node1": DaemonSight(False, "137", console("port-in-time-wait-no-word"))}
    )
    assert "(likely)" in error.what


def test_a_console_without_its_last_lines_says_nothing_of_a_daemon_that_runs():
    assert explain(console("port-in-time-wait-no-word")) == []
    assert explain(console("tokenizer-cannot-start")) == []


def test_a_python_exception_is_shown_with_its_type_its_message_and_its_place():
    one = explain(console("exception-in-warm-up"), status="134")[0]
    assert one.detail.startswith("AttributeError: 'ModelTorch' object has no attribute")
    assert "model_runner.py" in one.detail
    error = death(cluster_of("node1"), {"node1": DaemonSight(False, "134", console("exception-in-warm-up"))})
    assert "AttributeError" in error.evidence


def test_the_request_that_ended_the_service_is_named():
    one = explain(console("died-by-one-request"), status="134")[0]
    assert "POST /v1/chat/completions" in one.detail and "type_error.302" in one.detail


def test_files_writable_by_others_are_told_by_the_words_of_3_0_0():
    one = explain(console("weights-folder-777"), status="134")[0]
    assert "d777 should not be writable by others" in one.line and "chmod o-w" in one.remedy


def test_a_tokenizer_that_cannot_start_is_not_a_value_in_config_json():
    told = {one.id for one in explain(console("tokenizer-cannot-start"), status="137")}
    assert "D15" in told and "A33" not in told


def test_a_primary_that_crashed_points_at_the_other_nodes():
    explained = explain(two_consoles("follower-daemon-killed-serving")["node1"], status="134")
    assert explained[0].id == "W7" and "other nodes" in explained[0].remedy


def test_what_waits_for_ever_is_told_before_anything_ends():
    for case, (node, wanted) in {
        "registration-port-taken": ("node1", "D3"),
        "table-node2-other-order": ("node2", "E24"),
    }.items():
        logs = {name: before_the_stop(text)[0] for name, text in two_consoles(case).items()}
        assert verdict(waits_for_ever(logs)) == (node, wanted)
    for case in ("start-good", "follower-absent", "master-absent", "follower-first-master-late"):
        assert waits_for_ever(two_consoles(case)) is None


def test_a_taken_port_is_told_before_the_node_that_does_not_come():
    waiting = explain_waiting(before_the_stop(two_consoles("registration-port-taken")["node1"])[0])
    assert [one.id for one in waiting] == ["D3", "E1"]


def test_a_node_that_was_registered_waits_for_nobody():
    for text in two_consoles("follower-worker-killed-loading").values():
        assert explain_waiting(text) == []


def test_lines_of_both_languages_have_a_time_and_a_level():
    cpp, python, plain = read_lines(
        "[2026-11-28 02:14:59.087811] [1] [2] [server] [ERROR] [http_server.cpp:130] [endpoint] x\n"
        "[2026-11-28 02:14:59,444] [1] [2] [llm] [INFO] [config.py-135] : y\n"
        "ValueError: z\n"
    )
    assert cpp.time is not None and python.time is not None
    assert (cpp.time.microsecond, cpp.level, cpp.source) == (87811, "error", "http_server.cpp")
    assert (python.time.microsecond, python.level, python.source) == (444000, "information", "config.py")
    assert (plain.time, plain.level) == (python.time, "")
