"""Sentences on a narrow terminal: broken between words, never within a command."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.text import Text

from lingctl.output.screen.wrapping import broken

REMEDY = (
    "  fix: hccn_tool -i 1 -link -s up; if it stays down: hccn_tool -i 1 -cfg recovery; then look: "
    "hccn_tool -i 1 -optical -g, and at the switch port; else chmod 0640 /etc/one or docker exec NAME sh, "
    "lingctl patch status --record and lingctl check-network --nodes hosts.yaml"
)
COMMANDS = (
    "hccn_tool -i 1 -link -s up",
    "hccn_tool -i 1 -cfg recovery",
    "hccn_tool -i 1 -optical -g",
    "chmod 0640 /etc/one",
    "docker exec NAME",
    "lingctl patch status --record",
    "lingctl check-network --nodes hosts.yaml",
)


def lines(text: str, columns: int, hang: int = 7) -> list[str]:
    return [line.plain for line in broken(Text(text), columns, hang)]


@pytest.mark.parametrize("columns", [50, 64, 80, 100, 120, 200])
def test_no_word_and_no_command_is_broken_and_none_is_lost(columns: int):
    shown = lines(REMEDY, columns)
    assert " ".join(" ".join(shown).split()) == " ".join(REMEDY.split())
    assert all(len(line) <= columns for line in shown)
    assert all(line.startswith(" " * 7) for line in shown[1:])
    for command in COMMANDS:
        assert any(command in line for line in shown), command


def test_a_line_that_fits_is_left_alone():
    assert lines("error: short  (code)", 80) == ["error: short  (code)"]


def test_a_word_that_is_longer_than_the_terminal_is_left_to_it():
    path = "/" + "x" * 150
    assert lines(f"error: {path}: no such folder here", 80) == [
        f"error: {path}:",
        "       no such folder here",
    ]


def test_columns_are_counted_as_a_terminal_counts_them():
    shown = lines("error: " + "端口被占用 " * 20, 60)
    assert all(cell_len(line) <= 60 for line in shown)
    assert len(shown) > 3


def test_where_a_hanging_indent_leaves_no_room_the_terminal_breaks():
    assert lines(REMEDY, 40, 16) == [REMEDY]
