"""Which lines belong to a time or a rank."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lingctl.engine.words.line_filter import LineFilter, line_time
from lingctl.engine.words.log_lines import ANOTHER_LOG, read_lines
from lingctl.flows.look.logs import duration_seconds
from lingctl.mindie.logs.log_reader import MINDIE_LOGS

EAST = timedelta(hours=8)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("10", None),
        ("soon", None),
        ("-1m", None),
        (f"{10**20}d", None),
    ],
)
def test_durations(text: str, seconds: int | None):
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(
    "line",
    [
        "[2025-04-06 15:49:29.887304+08:00] [419] [421] [server] [ERROR] [x.cpp:234] : init fail!",
        "2025-04-06 15:49:29,126 [INFO] config.py:30 - model_config {}",
        "[ERROR] HCCL(2040034,alltoall_test):2025-04-06-15:49:29.607.432 [heartbeat.cc:1229]",
        "2025-04-06T07:49:29.887304Z stdout F a container runtime's own log",
        "2025/04/06 15:49:29 [error] 31#31: a gateway's",
    ],
)
def test_every_form_of_time_is_read(line: str):
    assert line_time(line, EAST) == datetime(2025, 4, 6, 7, 49, 29, tzinfo=UTC)


def test_the_kernel_s_lines_are_of_the_year_that_is_near():
    near = datetime(2026, 1, 1, tzinfo=UTC)
    line = "Dec 31 23:59:29 node1 kernel: Out of memory: Killed process 7 (mindie_llm)"
    assert line_time(line, EAST, near) == datetime(2025, 12, 31, 15, 59, 29, tzinfo=UTC)
    assert line_time(line, EAST) is None


def test_a_day_that_few_years_have_is_of_one_that_has_it():
    line = "Feb 29 23:59:29 node1 kernel: x"
    near = datetime(2027, 12, 31, tzinfo=UTC)
    assert line_time(line, EAST, near) == datetime(2028, 2, 29, 15, 59, 29, tzinfo=UTC)
    assert line_time(line, EAST, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_what_is_no_time():
    assert line_time("Daemon start success!", EAST) is None
    assert line_time("2025-99-99 15:49:29 x", EAST) is None


def test_lines_without_a_time_go_with_the_line_before():
    passes = LineFilter(datetime(2025, 4, 6, 7, 0, tzinfo=UTC), EAST, None, MINDIE_LOGS.rank_of)
    log = [
        "banner",
        "2025-04-06 14:59:59,000 old",
        "  of the old one",
        "2025-04-06 15:00:01,000 new",
        "  of the new one",
    ]
    assert [line for line in log if passes(line)] == log[3:]


def test_a_rank_s_lines_are_those_that_name_it_or_come_from_its_process():
    passes = LineFilter(None, timedelta(), 1, MINDIE_LOGS.rank_of)
    log = [
        "2025-01-10 08:44:33,158 [INFO] [pid: 4600] cpu_binding.py-205: rank_id: 0, device_id: 0",
        "2025-01-10 08:44:33,158 [INFO] [pid: 4601] cpu_binding.py-205: rank_id: 1, device_id: 1",
        "2025-01-10 08:44:34,000 [INFO] [pid: 4600] logging.py-180: quantize: None",
        "2025-01-10 08:44:34,000 [INFO] [pid: 4601] logging.py-180: quantize: None",
        "  its second line",
        "2025-01-10 08:44:35,000 [INFO] nobody's",
        "wait socket establish timeout, role[0] rank[1] timeout[120 s]",
        "wait socket establish timeout, role[0] rank[11] timeout[120 s]",
    ]
    assert [line for line in log if passes(line)] == [log[1], log[3], log[4], log[6]]


def test_without_limits_everything_passes():
    passes = LineFilter(None, timedelta(), None, MINDIE_LOGS.rank_of)
    assert passes("x") and passes("2025-01-10 08:44:33,158 y")


@pytest.mark.parametrize(
    "time", ["2026-01-01 00:00:00+99:99", "0001-01-01 00:00:00+14:00", "2026-13-41 00:00:00"]
)
def test_times_and_zones_that_cannot_be_are_no_reason_to_end(time: str):
    passes = LineFilter(datetime(2026, 1, 1, tzinfo=UTC), timedelta(), None, MINDIE_LOGS.rank_of)
    assert not passes(f"{time} x")
    assert not LineFilter(datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=99), None, MINDIE_LOGS.rank_of)(
        "2026-01-01 00:00:00 y"
    )


def test_a_line_has_the_rank_that_it_or_its_process_alone_names() -> None:
    sieve = LineFilter(None, timedelta(), None, MINDIE_LOGS.rank_of)
    told = []
    for line in (
        "2026-11-28 10:00:00,000 [INFO] [pid: 7] global rank:3: begins",
        "2026-11-28 10:00:01,000 [INFO] [pid: 7] goes on",
        "  indented",
        "Daemon start success!",
        "2026-11-28 10:00:02,000 [INFO] [pid: 7] global rank:4: too",
        "2026-11-28 10:00:03,000 [INFO] [pid: 7] whose is this?",
    ):
        sieve(line)
        told.append((sieve.of_rank, sieve.time and sieve.time.second))
    assert told == [(3, 0), (3, 1), (3, 1), (None, 1), (4, 2), (None, 3)]


@pytest.mark.parametrize(
    ("other", "tells"),
    [
        ("2025-11-26 10:00:00,1 [ERROR] of two days before\n  and what stands behind it", False),
        ("2025-11-27 20:00:00,1 [ERROR] of a clock in another zone", True),
        ("of a time that is not told", True),
    ],
)
def test_another_log_tells_nothing_where_it_is_of_an_earlier_run(other: str, tells: bool) -> None:
    lines = read_lines(f"2025-11-28 10:00:00,1 [INFO] a start\n{ANOTHER_LOG}{other}\n{ANOTHER_LOG}the third")
    assert [line.text for line in lines][1:] == [*(other.splitlines() if tells else ()), "the third"]


def test_what_ended_a_process_is_not_survived_in_any_of_its_logs() -> None:
    log = "2025-11-28 10:00:00,1 [WARNING] trying\nTraceback (most recent call last):\nValueError: y\n"
    both = f"{log}{ANOTHER_LOG}{log}"
    assert [line.doubtful for line in read_lines(both)] == [False, True, True] * 2
    assert not any(line.doubtful for line in read_lines(both, ended=True))
