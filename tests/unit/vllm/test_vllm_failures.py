"""vLLM's catalogue by lines that show it, as its processes print them; ends without a word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lingctl.engine.words.line_filter import LineFilter
from lingctl.engines import reader_of, readers
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.vllm.logs.log_reader import VLLM_LOGS

CATALOGUE = VLLM_LOGS.catalogue
API = "(APIServer pid=7) ERROR 11-28 14:23:27 [entry.py:53] "
CORE = "(EngineCore pid=8) ERROR 11-28 14:23:27 [core.py:1512] "
WORKER = "(Worker_TP1 pid=9) ERROR 11-28 14:23:27 [multiproc_executor.py:944] "
LINES = [
    (name, line)
    for name, _, line in (
        one.partition("\t") for one in Path(__file__).with_name("lines.txt").read_text().splitlines()
    )
    if line
]


@pytest.mark.parametrize(("name", "line"), LINES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(LINES)])
def test_a_line_shows_its_failure(name: str, line: str) -> None:
    found = CATALOGUE.match(line)
    assert found is not None
    assert found.id == name


def test_every_row_that_a_line_shows_has_one_here_and_every_other_is_an_ending() -> None:
    shown = {failure.id for failure in CATALOGUE.own if not failure.inferred}
    assert shown == {name for name, _ in LINES}
    assert {failure.id for failure in CATALOGUE.own if failure.inferred} == {f"W10{n}" for n in range(1, 8)}


def test_no_two_catalogues_give_one_id_to_different_failures() -> None:
    own = [failure.id for reader in (MINDIE_LOGS, VLLM_LOGS) for failure in reader.catalogue.own]
    ids = [*own, *(failure.id for failure in CATALOGUE.shared)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"{WORKER}RuntimeError: ACL stream synchronize failed, error code:507035", "507035"),
        (
            f"{WORKER}EI0006: [PID: 4] 2025-04-08-18:07:20.444.436 Getting socket times out.",
            "EI0006",
        ),
    ],
)
def test_what_ascend_s_software_says_is_known_of_vllm_too(line: str, code: str) -> None:
    told = VLLM_LOGS.explain(line, status="1")
    assert told, code
    assert "unknown" not in told[0].cause


NPU = "(Worker_TP3 pid=9) ERROR 11-26 11:43:04 [multiproc_executor.py:597] "
WRAPPERS = (
    "(EngineCore_DP0 pid=8) ERROR 11-26 11:43:05 [core.py:708] EngineCore failed to start.\n"
    "(EngineCore_DP0 pid=8) ERROR 11-26 11:43:05 [core.py:708] Exception: WorkerProc initialization failed"
    " due to an exception in a background process. See stack trace for root cause.\n"
    "(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above.\n"
)
# As vllm-ascend's workers print them in public reports.
ON_CARDS = (
    (
        "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity",
        "C1",
        3,
        3,
    ),
    (
        "EI0006: [PID: 4] 2025-11-26-11:43:03.1.2 Get_Socket_Timeout(EI0006): Getting socket times out.",
        "E4",
        3,
        None,
    ),
    ("[Error]: The device is unavailable.", "F5", 3, None),
    ("ValueError: Free memory on device (3.1/61.0 GiB) on startup is less than desired GPU", "C101", 3, None),
    ("RuntimeError: hcclCommInitRootInfoConfig, error code is 1", "E14", 3, None),
    (
        "EL0009: [PID: 4] Insufficient_Stream_Resources(EL0009): The stream resources are insufficient.",
        "C105",
        3,
        None,
    ),
)


@pytest.mark.parametrize(("line", "name", "rank", "card"), ON_CARDS, ids=[one[1] for one in ON_CARDS])
def test_the_line_of_a_worker_is_the_cause_and_not_what_wraps_it(
    line: str, name: str, rank: int, card: int | None
) -> None:
    told = VLLM_LOGS.explain(f"{NPU}{line}\n{WRAPPERS}", status="1")
    assert (told[0].id, told[0].rank, told[0].card) == (name, rank, card)
    assert "initialization failed" not in VLLM_LOGS.first_errors(f"{NPU}{line}\n{WRAPPERS}", 1)[0]


# How an end reads: the whole console in short, its exit status, and what stands first.
START = "(APIServer pid=7) INFO 11-28 14:20:27 [model.py:733] Resolved architecture: BailingMoeForCausalLM\n"
SERVES = f"{START}INFO:     Application startup complete.\n"
ASKED = "(APIServer pid=7) INFO 11-28 14:21:35 [launcher.py:254] [shutdown] API server: shutdown triggered\n"
DOWN = "INFO:     Shutting down\nINFO:     Application shutdown complete.\n"
DEAD = "(APIServer pid=7) ERROR 11-28 14:23:28 [async_llm.py:906] AsyncLLM output_handler failed.\n"
LOST = f"{CORE}Worker proc VllmWorker-0 died unexpectedly (exit code: %s), shutting down executor.\n"
TOLD = "(EngineCore pid=8) INFO 11-28 14:39:30 [core.py:9] [shutdown] trigger received signal=SIGTERM\n"
JOINED = "(Worker_TP1 pid=9) INFO 11-28 14:38:43 [base_loader.py:82] Initializing model took 1.21 seconds\n"
HEADLESS_STOP = (
    "(MainProcess pid=7) INFO 11-28 14:39:30 [multiproc_executor.py:479] [shutdown] Executor: waiting for"
    " worker exit count=1\n"
)
FRAME = 'File "/v/model_runner.py", line 9, in execute'
TRACE = f"{WORKER}Traceback (most recent call last):\n{WORKER}  {FRAME}\n"
WRAPPER = (
    f"{API}RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}\n"
)
REFUSED = "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
OF_A_REQUEST = "(APIServer pid=7) ERROR 11-28 14:21:30 [serving.py:9] ValueError: No available memory\n"
ENDS = {
    "asked to stop": (f"{SERVES}{ASKED}{DOWN}", "0", "S1"),
    "a node without a server, whose worker failed as nobody knows": (
        f"{JOINED}{TRACE}{WORKER}OddError: something new\n{HEADLESS_STOP}",
        "1",
        "W105",
    ),
    "an engine without a server, asked to stop": (f"{START}{TOLD}", "0", "S1"),
    "a server that failed, and told its engine to end": (
        f"{START}{TOLD}Traceback (most recent call last):\n  {FRAME}\nOddError: something new\n",
        "1",
        "W105",
    ),
    "an older server, asked to stop": (f"{SERVES}{DOWN}", "0", "S1"),
    "a node without a server, asked to stop": (f"{JOINED}{HEADLESS_STOP}", "0", "S1"),
    "a node without a server, whose worker was killed": (
        f"{JOINED}{LOST % -9}{HEADLESS_STOP}",
        "0",
        "W101",
    ),
    "its engine died and nobody says why": (f"{SERVES}{DEAD}{DOWN}", "0", "W104"),
    "status 0, and no word of a stop": (SERVES, "0", "W107"),
    "a worker was killed": (f"{SERVES}{LOST % -9}{DEAD}{DOWN}", "0", "W101"),
    "a worker crashed": (f"{SERVES}{LOST % -11}{DEAD}", "0", "W102"),
    "a worker ended, the status came too late": (f"{SERVES}{LOST % None}{DEAD}", "0", "W103"),
    "killed whole": (SERVES, "137", "W106"),
    "an exception of a worker that is not known": (
        f"{SERVES}{TRACE}{WORKER}RuntimeError: something new\n"
        f"{CORE}RuntimeError: Executor failed.\n{DEAD}{DOWN}",
        "0",
        "W105",
    ),
    "a wrapper, and the worker's own words behind it in the file": (
        f"{START}{WRAPPER}{TRACE}{WORKER}ValueError: something new\n",
        "1",
        "W105",
    ),
    "refused in the words of the library": (
        f"{START}{REFUSED}  Value error, a rule that is not known [type=value_error]\n",
        "1",
        "A199",
    ),
    "a request's error is not why it was stopped": (f"{SERVES}{OF_A_REQUEST}{ASKED}", "0", "S1"),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_told_by_how_it_began(name: str) -> None:
    text, status, wanted = ENDS[name]
    told = VLLM_LOGS.explain(text, status=status)
    assert told[0].id == wanted


def test_an_unknown_exception_of_a_worker_is_told_with_its_place_and_its_rank() -> None:
    text, status, _ = ENDS["an exception of a worker that is not known"]
    told = VLLM_LOGS.explain(text, status=status)[0]
    assert told.detail == f"RuntimeError: something new; {FRAME}"
    assert "Executor failed" not in told.line
    assert told.confidence == "likely"


def test_a_wrapper_is_never_the_first_of_the_error_lines() -> None:
    first = VLLM_LOGS.first_errors(f"{START}{WRAPPER}{TRACE}{WORKER}OddError: something new\n")[0]
    assert "something new" in first


RANKS = (
    ("(Worker_TP1 pid=9) INFO x", 1),
    ("(Worker_DP0_TP3_EP3 pid=9) INFO x", 3),
    ("(Worker_PP1 pid=9) INFO x", 1),
    ("(Worker_PP1_TP3 pid=9) INFO x", None),  # which rank that is depends on how many a stage has
    ("(VllmWorker rank=2 pid=9) INFO x", 2),
    ("(VllmWorker-4 pid=9) INFO x", 4),
    ("(VllmWorker TP6 pid=9) ERROR x", 6),
    ("\x1b[1;36m(Worker_TP7 pid=9)\x1b[0;0m INFO x", 7),
    ("[rank5]: RuntimeError: x", 5),
    ("(Worker pid=9) INFO 11-28 14:32:09 [p.py:1] world_size=2 rank=1 local_rank=0", 1),
    ("(EngineCore pid=9) INFO x", None),
)


@pytest.mark.parametrize(("line", "rank"), RANKS)
def test_a_worker_s_line_tells_its_rank(line: str, rank: int | None) -> None:
    assert VLLM_LOGS.rank_of(line) == rank


def test_lines_of_a_rank_are_its_worker_s_and_what_stands_behind_them_without_a_head() -> None:
    passes = LineFilter(None, timedelta(), 1, VLLM_LOGS.rank_of)
    lines = {
        "(APIServer pid=7) INFO 11-28 14:20:00 [x.py:1] a": False,
        "(Worker pid=9) INFO 11-28 14:20:00 [x.py:1] world_size=2 rank=1 local_rank=0": True,
        "(Worker pid=9) INFO 11-28 14:20:01 [x.py:1] rank 1 in world size 2 is assigned": True,
        "(Worker_TP0 pid=8) INFO 11-28 14:20:01 [x.py:1] b": False,
        "(Worker_TP1 pid=9) ERROR 11-28 14:20:02 [x.py:1] c": True,
        '  File "x.py", line 1': True,
        "(EngineCore pid=6) INFO 11-28 14:20:03 [x.py:1] d": False,
        "INFO:     127.0.0.1:1 - GET /health": False,
    }
    assert {line: passes(line) for line in lines} == lines


def test_a_line_without_a_year_is_of_the_year_that_brings_it_closest() -> None:
    since = datetime(2027, 1, 1, 0, 10, tzinfo=UTC)
    passes = LineFilter(since, timedelta(hours=8), None, VLLM_LOGS.rank_of)
    assert not passes("(Worker pid=9) INFO 12-31 23:59:59 [x.py:1] last year, eight hours east")
    assert passes("(Worker pid=9) INFO 01-01 08:10:01 [x.py:1] just behind it")
    assert passes("INFO:     Application startup complete.")
    assert not passes("W1231 14:18:38.247000 21493 torch/x.py:53] long ago")


WAITS = LINES[[name for name, _ in LINES].index("E111")][1]


def test_a_rank_that_waits_says_so_until_it_has_met_the_others() -> None:
    met = (
        "(Worker pid=9) INFO 11-28 14:32:43 [parallel_state.py:2350] rank 1 in world size 2 is assigned as DP"
    )
    met += " rank 0, PP rank 0"
    assert [one.id for one in VLLM_LOGS.explain_waiting(WAITS)] == ["E111"]
    assert VLLM_LOGS.explain_waiting(f"{WAITS}\n{met}") == []


def test_the_node_whose_worker_failed_goes_before_the_one_that_only_lost_it() -> None:
    lost = f"{SERVES}{dict(LINES)['E103']}\n{DEAD}"
    killed = f"{WORKER}Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.\n"
    found = VLLM_LOGS.diagnose({"a": lost, "b": killed}, ["a", "b"], statuses={"a": "0", "b": "0"})
    assert found is not None and found.explanation is not None
    assert (found.node, found.explanation.id) == ("b", "W101")
    assert found.also == ("a: another node's process ended, or its connection broke",)


def test_a_node_that_waited_for_one_that_refused_its_start_is_not_the_cause() -> None:
    refused = dict(LINES)["B103"]
    found = VLLM_LOGS.diagnose({"a": WAITS, "b": refused}, ["b"], statuses={"b": "1"})
    assert found is not None and found.explanation is not None
    assert (found.node, found.explanation.id) == ("b", "B103")


def test_a_log_is_told_by_its_words_and_a_hint_goes_before_them() -> None:
    ours, theirs = f"{START}{DEAD}", "g_mainPid = 7\nConfigManager: Load Config from x\n"
    assert reader_of([ours]) is VLLM_LOGS
    assert reader_of([theirs]) is MINDIE_LOGS
    assert reader_of(["RuntimeError: x"]) is MINDIE_LOGS
    assert reader_of([theirs], "vllm") is VLLM_LOGS
    assert readers("mindie") == (MINDIE_LOGS,)
