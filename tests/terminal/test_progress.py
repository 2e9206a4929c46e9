"""What progress looks like on a terminal, and that nothing that is shown can hold a command up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.terminal.screen import CTRL_D, left_in_order, terminal
from tests.terminal.test_signals import ROOT, SIZES


def driving(*words: str | Path, **options):
    """One of the programs of ``drive`` on a terminal."""
    return terminal(sys.executable, "-m", "tests.terminal.drive", *words, cwd=ROOT, **options)


@pytest.mark.parametrize("size", SIZES)
def test_notes_from_many_threads_hold_nothing_up_and_none_is_lost(size: tuple[int, int]):
    with driving("notes", size=size) as shown:
        assert shown.end() == 0
        left_in_order(shown)
        said = [line for line in shown.screen.whole if line.startswith("· ")]
        assert len(said) == len(set(said)) == 16 * 20
        done = [line for line in shown.screen.whole if line.startswith("✓ ")]
        assert len(done) == len(set(done)) == 16 * 20
        assert shown.screen.display[shown.screen.cursor.y - 1].startswith("all said")


@pytest.mark.parametrize("size", [*SIZES, (40, 12)])
def test_more_than_fits_is_counted_and_what_failed_stays(size: tuple[int, int]):
    with driving("crowd", size=size) as shown:
        shown.until(r"… load the model \d:\d\d")
        shown.until(rf"  and {100 - (size[1] // 2 - 2)} more run")
        assert shown.shows("100 of 100 run, 0") or size[0] == 40
        assert len([line for line in shown.screen.display if line.startswith("… node")]) == size[1] // 2 - 2
        shown.press("\n")
        assert shown.end() == 0
        assert "✗ node7 write config.json the disk is full" in "".join(shown.screen.whole)
        left_in_order(shown)


@pytest.mark.parametrize("size", [*SIZES, (40, 15)])
def test_64_nodes_are_told_by_counts_the_slowest_and_those_that_failed(size: tuple[int, int]):
    with driving("rack", size=size) as shown:
        shown.until("2 failed, 42 o" if size[0] == 40 else "2 failed, 42 of 64 run, 20 done  72% of 80.0 GB")
        # Nothing is known of it, so it counts as the slowest.
        assert any("node21" in line for line in shown.screen.display)
        for number in range(1, 21):
            assert shown.shows(f"^✓ node{number} load the model$")
        for number in (33, 44):
            assert shown.shows(f"^✗ node{number} load the model the card's memor")
        shown.until("0:02", 20)  # the clock goes on by itself
        shown.press("\n")
        assert shown.end() == 0
        left_in_order(shown)


@pytest.mark.parametrize(
    ("before", "after"),
    [((80, 24), (120, 40)), ((120, 40), (80, 24)), ((80, 24), (20, 5)), ((80, 24), (40, 12))],
)
def test_a_terminal_may_change_its_size(before: tuple[int, int], after: tuple[int, int]):
    with driving("crowd", size=before) as shown:
        shown.until(r"and \d+ more run")
        shown.resize(*after)
        shown.until(rf"  and {100 - max(0, after[1] // 2 - 2)} more")
        shown.press("\n")
        assert shown.end() == 0
        left_in_order(shown)
        assert shown.screen.display[shown.screen.cursor.y - 1].startswith("over")


@pytest.mark.parametrize(
    ("environment", "mark", "name"),
    [
        ({}, "…", "机架七服务器一"),
        ({"NO_COLOR": "1"}, "…", "机架七服务器一"),
        ({"LC_ALL": "C"}, ">", "机架七服务器一"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0"}, ">", r"\\u673a\\u67b6\\u\.\."),
    ],
)
def test_each_step_has_one_line_on_40_columns_with_its_time(
    environment: dict[str, str], mark: str, name: str
):
    with driving("long", size=(40, 12), environment=environment) as shown:
        shown.until(f"{mark} {name}")
        shown.until(r"load the.* 0:0[1-9]")
        rows = [line.rstrip() for line in shown.screen.display if line.strip()]
        assert len(rows) == 3, str(shown)
        assert all(row.startswith(f"{mark} ") and "0:0" in row for row in rows)
        shown.press("\n")
        assert shown.end() == 0
        left_in_order(shown)


def test_what_a_library_prints_is_shown_above_what_is_under_way():
    with driving("library") as shown:
        shown.until("a warning of a library")
        shown.until("… node1 load")
        rows = [line.split() for line in shown.screen.display]
        assert rows.index(["a", "warning", "of", "a", "library"]) == 0
        assert rows[1][:3] == ["…", "node1", "load"]
        shown.press("\n")
        assert shown.end() == 0
        left_in_order(shown)


def test_a_node_cannot_command_the_terminal():
    with driving("hostile") as shown:
        assert shown.end() == 0
        left_in_order(shown)
        assert shown.shows(r"\\x1b\[\?1049h\\x1b\[31mred\\x07")
        assert shown.shows(r"\\x1b\[\?1049hanswer")


def test_an_answer_goes_to_its_file_also_while_progress_is_shown(tmp_path: Path):
    with driving("answer", tmp_path / "answer") as shown:
        assert shown.end() == 0
        assert not shown.shows("the answer")
        left_in_order(shown)
    assert (tmp_path / "answer").read_text() == "the answer\n"


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_redraw_gets_lines(term: str):
    with driving("crowd", environment={"TERM": term}) as shown:
        shown.until("node99: load the model …")
        shown.press("\n")
        assert shown.end() == 0
        left_in_order(shown)


@pytest.mark.parametrize(
    ("typed", "agreed"),
    [
        *(("y\n", True), ("Y\n", True), ("YES\n", True), (" yes \n", True), ("\uff59\n", True)),
        *(("n\n", False), ("No\n", False), ("\n", False)),
    ],
)
def test_an_answer_is_understood_in_small_letters_and_capitals(typed: str, agreed: bool):
    with driving("question") as shown:
        shown.until(r"Do this\? \[y/N\]")
        shown.press(typed)
        assert shown.end() == 0
        assert shown.shows(f"^agreed: {agreed}")
        left_in_order(shown)


@pytest.mark.parametrize("typed", [CTRL_D, "ye" + CTRL_D + CTRL_D])
def test_ctrl_d_at_the_question_is_a_no(typed: str):
    with driving("question") as shown:
        shown.until(r"Do this\? \[y/N\]")
        shown.press(typed)
        assert shown.end() == 0
        assert shown.shows("^agreed: False")
        left_in_order(shown)


def test_what_is_no_answer_is_asked_again_and_what_was_typed_before_is_none():
    with driving("question", "late") as shown:
        shown.until("not yet")
        shown.press("y\n")
        shown.until(r"Do this\? \[y/N\]")
        for typed in ("yse", "d"):
            shown.press(f"{typed}\n")
            shown.until(rf"Do this\? \[y/N\] {typed}$")
            shown.until("^Type y or n.$")
        shown.press("y\n")
        assert shown.end() == 0
        assert shown.shows("^agreed: True")
        left_in_order(shown)


def test_d_shows_the_differences_a_screen_at_a_time_and_asks_again():
    with driving("differing") as shown:
        shown.until(r"Do this\? \[y/N\] \(d shows the differences\)")
        assert not shown.shows("line 1")
        shown.press("d\n")
        shown.until("^-- 24 more lines: Enter goes on, q ends this --")
        for line in (
            r"^node0, node1 ... \(100 nodes\): write x",
            r"^  node1: \+of node1$",
            r"^  \(98 more nodes have a line of their own here\)",
        ):
            assert shown.shows(line), str(shown)
        assert not shown.shows("of node7") and not shown.shows("line 39")
        shown.press("\n")
        shown.until("^-- 2 more lines")
        shown.press("q\n")
        shown.when(lambda: sum("Do this?" in line for line in shown.screen.whole) == 2)
        shown.press("\n")
        assert shown.end() == 0
        assert shown.shows("^agreed: False")
        left_in_order(shown)
