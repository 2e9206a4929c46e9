"""What runs now, for screens of any size: events and times in, lines out."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from lingctl.events import Event
from lingctl.output.screen.board import PLAIN_MARKS, Board

GIGABYTE = 10**9
NAMES = ("node{}", "rack-17-unit-04-ascend-910b-{}.ling.example.com", "北京机房七号机架{}")


def shown(board: Board, width: int = 80, height: int = 24, now: float = 0.0) -> list[str]:
    """The lines as text."""
    return [line.plain for line in board.lines(width, height, now)]


def test_a_running_step_has_its_node_its_time_and_what_it_waits_for():
    board = Board()
    assert board.hear(Event("load the model", "started", "node1"), 100.0) is None
    board.hear(Event("load the model", "progress", "node1", "last log line: warm-up"), 160.0)
    board.hear(Event("ready", "started"), 859.0)
    assert shown(board, now=860.0) == [
        "… node1 load the model 12:40 last log line: warm-up",
        "… ready                0:01",
    ]


def test_bytes_are_told_with_their_rate_of_late_and_the_time_left():
    board = Board()
    board.hear(Event("copy", "progress", "node1", done=0, total=100 * GIGABYTE), 0.0)
    assert shown(board, now=0.0) == ["… node1 copy 0:00 0% of 100.0 GB"]
    for second in range(1, 61):  # slow for half a minute, then faster
        done = second * GIGABYTE // 10 if second <= 30 else 3 * GIGABYTE + (second - 30) * GIGABYTE
        board.hear(Event("copy", "progress", "node1", done=done, total=100 * GIGABYTE), float(second))
    assert shown(board, now=60.0) == ["… node1 copy 1:00 33% of 100.0 GB, 1.0 GB/s, 1:07 left"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("copy", "done", "node1"), "✓ node1 copy (0:50)"),
        (Event("copy", "done", "node1", "2 files"), "✓ node1 copy 2 files (0:50)"),
        (Event("copy", "failed", "node1", "the disk is full"), "✗ node1 copy the disk is full (0:50)"),
        (Event("copy", "unchanged", "node1"), "= node1 copy (0:50)"),
        (Event("copy", "interrupted", "node1", "interrupted"), "· node1 copy interrupted (0:50)"),
        (Event("copy", "note", "node1", "it is slow"), "· node1: copy it is slow"),
    ],
)
def test_what_ends_stays_as_a_line_with_how_long_it_took(event: Event, line: str):
    board = Board()
    board.hear(Event("copy", "started", "node1"), 0.0)
    told = board.hear(event, 50.0)
    assert told is not None and told.plain == line
    assert board.runs is (event.state == "note")


def test_a_step_that_begins_anew_has_a_new_clock():
    board = Board()
    board.hear(Event("copy", "started", "node1"), 0.0)
    board.hear(Event("copy", "failed", "node1"), 50.0)
    board.hear(Event("copy", "started", "node1"), 100.0)
    assert shown(board, now=101.0) == ["… node1 copy 0:01"]


def rack() -> Board:
    """64 nodes: 40 copy, node17 is the slowest; 20 are done, 4 failed."""
    board = Board()
    for number in range(1, 65):
        board.hear(Event("copy", "started", f"node{number}"), number / 100)
    for number in range(1, 41):
        done = GIGABYTE if number == 17 else (number + 1) * 2 * GIGABYTE
        board.hear(Event("copy", "progress", f"node{number}", done=done, total=100 * GIGABYTE), 1.0)
    for number in range(41, 61):
        board.hear(Event("copy", "done", f"node{number}"), 2.0)
    for number in range(61, 65):
        board.hear(Event("copy", "failed", f"node{number}", "the disk is full"), 2.0)
    return board


def test_of_more_than_fits_counts_the_slowest_and_the_failed_are_told():
    lines = shown(rack(), 120, 24, 65.0)
    assert len(lines) == 12
    assert lines[0].startswith(
        "… copy 1:04  4 failed, 40 of 64 run, 20 done  42% of 4.0 TB  (failed: node61,"
    )
    assert [line.split()[1] for line in lines[1:4]] == ["node17", "node1", "node2"]
    assert lines[-1] == "  and 30 more run"


def test_what_is_not_counted_in_bytes_is_not_called_so_for_many():
    board = Board()
    for number in range(40):
        text = f"{number} of 100 pings"
        board.hear(Event("ping", "progress", f"node{number}", text, done=number, total=100), 0.0)
    assert shown(board)[0] == "… ping 0:00  40 of 40 run, 0 done  19%"


@pytest.mark.parametrize("width", [10, 20, 40, 79, 80, 120, 200])
@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_wider_than_the_screen_and_there_are_fewer_than_it_has(width: int, name: str):
    board = rack()
    for number in range(10):
        board.hear(Event(f"step {number}", "started", name.format(number), "a detail " * 20), 3.0)
    for height in (1, 2, 5, 24, 50, 100):
        lines = shown(board, width, height, 10_000.0)
        assert len(lines) < max(height, 2)
        assert all(cell_len(line) < width for line in lines), lines


def test_where_there_is_room_for_it_a_time_is_never_cut():
    board = Board(PLAIN_MARKS)
    for name in ("node1", NAMES[1]):
        board.hear(Event("wait until the model is loaded by all", "started", name, "and more"), 0.0)
    assert all(" 1:02:03" in line for line in shown(board, 40, now=3723.0))
    assert all(line.startswith("> ") for line in shown(board, 40))
