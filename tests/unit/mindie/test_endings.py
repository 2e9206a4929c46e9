"""Ends of a daemon that no captured console shows: told by the words and the order of the 3.0.0 server."""

from __future__ import annotations

import pytest

from lingctl.engine.words.log_lines import read_lines
from lingctl.mindie.logs.daemon_life import read_life
from lingctl.mindie.logs.log_reader import MINDIE_LOGS

diagnose = MINDIE_LOGS.diagnose
explain = MINDIE_LOGS.explain
first_errors = MINDIE_LOGS.first_errors

BEGIN = "g_mainPid = 7\nLogLevelDynamicHandler start\nConfigManager: Load Config from /c/config.json.\n"
TAKEN = (
    "[ConfigManager::InitConfigManager] Successfully init config manager\n"
    "[2026-11-28 02:00:01.000001] [7] [8] [llm] [INFO] [llm_manager_impl.cpp:266] LLMRuntime init success!\n"
)
WORKERS = "[2026-11-28 02:00:02.000001] [7] [8] [llm] [INFO] [executor.cpp:952] Execute command: mindie\n"
SERVES = (
    "Daemon start success!\n"
    "[2026-11-28 02:01:00.000001] [7] [8] [server] [INFO] [x.cpp:1] Daemon start success!\n"
)
CHILD = (
    "[2026-11-28 02:02:00.000001] [7] [7] [server] [WARN] [llm_daemon.cpp:214] [MIE04W01011A] [daemon] "
    "Received exit signal[17], Process 7, Thread 1\n"
    "[2026-11-28 02:02:00.000002] [7] [7] [server] [ERROR] [llm_daemon.cpp:235] [daemon] Process 9 "
)
ABORTS = (
    "[2026-11-28 02:02:00.000001] [7] [7] [server] [WARN] [llm_daemon.cpp:192] [MIE04W01011A] [daemon] "
    "Received exit signal[{}]\n"
)


def first(text: str, status: str = "") -> str:
    return explain(text, status=status)[0].id


@pytest.mark.parametrize(
    ("console", "status", "wanted"),
    [
        (BEGIN, "137", "A36"),
        (BEGIN + TAKEN + WORKERS, "137", "W10"),
        (BEGIN + TAKEN + WORKERS, "134", "W8"),
        (BEGIN + TAKEN, "134", "W11"),
        (BEGIN + TAKEN + WORKERS + SERVES, "137", "W10"),
        (BEGIN + TAKEN + WORKERS + SERVES, "134", "W9"),
        (BEGIN + TAKEN + WORKERS + SERVES, "139", "W7"),
        (BEGIN + TAKEN + WORKERS + SERVES, "135", "C13"),
        (BEGIN + TAKEN + WORKERS + SERVES, "143", "S1"),
        (BEGIN + TAKEN + WORKERS + CHILD + "was terminated by signal 9 (Killed)", "134", "W1"),
        (BEGIN + TAKEN + WORKERS + CHILD + "was terminated by signal 7 (Bus error)", "134", "C13"),
        (BEGIN + TAKEN + WORKERS + CHILD + "was terminated by signal 11 (Segmentation fault)", "134", "W2"),
        (BEGIN + TAKEN + WORKERS + CHILD + "exited normally with status 1", "134", "W5"),
        (BEGIN + TAKEN + WORKERS + SERVES + ABORTS.format(15), "134", "S1"),
        (BEGIN + TAKEN + WORKERS + SERVES + ABORTS.format(2), "134", "S1"),
        (BEGIN + TAKEN + WORKERS + SERVES + ABORTS.format(11), "134", "W7"),
        (BEGIN + TAKEN + WORKERS + SERVES + ABORTS.format(6), "134", "W6"),
    ],
)
def test_an_end_is_told_from_its_beginning_the_stage_and_the_status(console: str, status: str, wanted: str):
    assert first(console, status) == wanted


def test_a_follower_that_stopped_without_its_first_line_is_no_crash():
    console = (
        f"{BEGIN}{TAKEN}{WORKERS}{SERVES}terminate called without an active exception\n{ABORTS.format(6)}"
    )
    assert first(console, "134") == "S2"


def test_a_status_may_be_a_number_or_unknown():
    assert explain(BEGIN, status=137)[0].id == "A36"
    assert explain(BEGIN, status=None) == []


def test_a_worker_of_an_exit_status_0_ends_nobody():
    assert explain(BEGIN + TAKEN + WORKERS + CHILD + "exited normally with status 0") == []


def test_nothing_is_told_of_a_daemon_that_runs():
    for console in (BEGIN, BEGIN + TAKEN + WORKERS, BEGIN + TAKEN + WORKERS + SERVES):
        assert explain(console) == []


def test_what_a_start_was_stuck_at_stays_the_cause_after_the_stop():
    console = (
        f"{BEGIN}{TAKEN}[llm] [ERROR] [executor.cpp:984] Invalid DP number per node: 0\n{ABORTS.format(15)}"
    )
    assert [one.id for one in explain(console, status="134")] == ["A39", "S1"]


def test_a_refusal_in_unknown_words_is_shown_by_its_line():
    words = "The frobnication of modelParam is out of fashion."
    console = (
        f"{BEGIN}{words}\n[ConfigManager::ExecuteConfigInteractions] Configuration interactions completed "
        "successfully\nConfigManager init exception: [ConfigManager] Checking Config Failed\n"
    )
    one = explain(console, status="137")[0]
    assert (one.id, one.line) == ("A44", words)


def test_an_exception_that_is_the_refusal_itself_is_shown():
    one = explain(f"{BEGIN}ConfigManager init exception: frobnicated twice\n", status="137")[0]
    assert (one.id, one.line) == ("A44", "ConfigManager init exception: frobnicated twice")


def test_an_exception_of_the_server_s_own_is_no_client_s_fault():
    thrown = "terminate called after throwing an instance of 'std::out_of_range'\n  what():  map::at\n"
    one = explain(BEGIN + TAKEN + WORKERS + SERVES + thrown + ABORTS.format(6), status="134")[0]
    assert (one.id, one.detail) == ("W6", "std::out_of_range: map::at")


def test_a_worker_s_unknown_exception_is_told_by_its_traceback_alone():
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/x/flash_bailing.py", line 7, in load\n'
        "KeyError: 'model.word_embeddings.weight'\n"
    )
    one = explain(BEGIN + TAKEN + WORKERS + trace + CHILD + "exited normally with status 1", status="134")[0]
    assert one.id == "W3"
    assert "KeyError: 'model.word_embeddings.weight'" in one.detail and "flash_bailing.py" in one.detail


def test_of_a_daemon_that_served_the_errors_before_its_end_count():
    old = "[2026-11-28 02:01:01.0] [llm] [ERROR] [a.py-1] : NPU out of memory. Tried to allocate 1 GiB\n"
    late = old.replace("02:01:01", "02:21:59")
    end = CHILD.replace("02:02:00", "02:22:00") + "exited normally with status 1"
    served = BEGIN + TAKEN + WORKERS + SERVES
    assert first(served + old + end, "134") == "W5"
    assert first(served + late + end, "134") == "C1"


def test_the_last_errors_of_a_daemon_that_served_are_shown_and_no_refused_request():
    errors = "".join(
        f"[2026-11-28 02:01:{n:02}.000001] [7] [9] [llm] [ERROR] [odd.cpp:1] odd {n}\n" for n in range(9)
    )
    refused = "[server] [ERROR] [single_req_x.cpp:1] Parameter seed. The requestId is endpoint_common_1\n"
    shown = first_errors(BEGIN + TAKEN + WORKERS + SERVES + errors + refused + ABORTS.format(6), 2)
    assert [line[-5:] for line in shown] == ["odd 7", "odd 8"]


def test_a_warning_outranks_nothing():
    warned = "[llm] [WARN] [file_utils.cpp:1] Check Other group permission failed: Current permission is 4\n"
    assert explain(warned) == []
    assert first(f"{warned}[llm] [ERROR] [x.cpp:1] Warmup failed. Required block number: 9\n") == "C2"


def test_the_clocks_of_the_nodes_are_taken_into_account():
    memory = "[2026-11-28 02:00:{}.0] [llm] [ERROR] [a.py-1] : NPU out of memory. Tried to allocate 1 GiB"
    logs = {"node1": memory.format(10), "node2": memory.format(40)}
    found = diagnose(logs, set(logs))
    assert found is not None and found.node == "node1"
    found = diagnose(logs, set(logs), clocks={"node2": 60.0})
    assert found is not None and found.node == "node2"


def test_a_node_that_never_said_a_word_is_to_blame_for_one_that_waited_for_it():
    waited = "[llm] [ERROR] [g.cpp:293] Failed to establish connection to master after maximum retries"
    found = diagnose({"node1": "", "node2": waited}, {"node1", "node2"})
    assert found is not None and (found.node, found.evidence) == ("node1", "it printed nothing")


def test_what_overtook_the_log_does_not_hide_how_the_end_began():
    killed = CHILD.replace("02:02:00", "02:20:00") + "was terminated by signal 9 (Killed)"
    assert (
        first(f"{BEGIN}{TAKEN}{WORKERS}Daemon is killing, please wait about 15 seconds...\n{killed}") == "W1"
    )
    stop = ABORTS.format(15).replace("00.000001", "00.400000")
    worker = "[2026-11-28 02:02:00,100] [9] [9] [llm] [INFO] [main.py-137] : Python process get signal:15\n"
    assert first(BEGIN + TAKEN + WORKERS + SERVES + worker + stop, "134") == "S1"


def test_a_word_of_an_earlier_stage_sets_nothing_back():
    console = BEGIN + TAKEN + WORKERS
    assert read_life(read_lines(console + BEGIN)).stage is read_life(read_lines(console)).stage
