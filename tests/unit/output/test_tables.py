"""Tables: what must not break does not, on terminals of any width, and in pipes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from rich.cells import cell_len

from lingctl.output.tables import Screen, print_table, table_lines

STATUS = ("node", "container", "daemon", "ports", "release", "overlay", "service", "problem")
SPARE = ("overlay", "ports", "container", "release")
LOST = "do not rely on it: another node is lost, its daemon is dead"
NAMES = {
    "short": "node{}",
    "long": "rack-17-unit-04-ascend-910b-{}.ling.example.com",
    "wide": "北京机房七号机架服务器{}",
}
SIZES = (80, 100, 120, 200)


def nodes(count: int, name: str) -> list[tuple[str, ...]]:
    """Rows of status; every seventh node has a problem."""
    return [
        (
            name.format(number),
            "running",
            "running",
            "1025 1026 1027",
            "20261128-114804-3c351d0a",
            "as shipped",
            "ready" if number == 1 else "",
            LOST if number % 7 == 1 else "",
        )
        for number in range(1, count + 1)
    ]


def shown(rows: Sequence[Sequence[object]], screen: Screen | None) -> list[str]:
    """The lines of a status."""
    return [line.plain for line in table_lines(STATUS, rows, screen, spare=SPARE)]


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("count", [2, 64])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_nothing_that_is_copied_is_broken_and_no_line_is_wider_than_the_terminal(
    width: int, count: int, name: str
):
    rows = nodes(count, name)
    lines = shown(rows, Screen(width, 24))
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    for row in rows:
        assert len(re.findall(rf"(?<!\S){re.escape(row[0])}(?!\S)", text)) == 1
    for word in LOST.split():
        assert text.split().count(word) >= count // 7
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("width", "count", "name", "form"),
    [
        (80, 2, "short", "blocks"),
        (80, 2, "long", "blocks"),
        (80, 2, "wide", "blocks"),
        (80, 64, "short", "fewer columns"),
        (80, 64, "wide", "fewer columns"),
        (100, 2, "short", "fewer columns"),
        (100, 64, "long", "fewer columns"),
        (120, 2, "short", "table"),
        (120, 64, "long", "fewer columns"),
        (200, 2, "long", "table"),
        (200, 64, "short", "table"),
        (40, 64, "long", "blocks"),
    ],
)
def test_a_row_becomes_a_block_or_columns_go_those_of_least_worth_first(
    width: int, count: int, name: str, form: str
):
    lines = shown(nodes(count, NAMES[name]), Screen(width, 24))
    if form == "blocks":
        assert lines[0] == f"node: {NAMES[name].format(1)}"
        assert "  release:   20261128-114804-3c351d0a" in lines
        assert not any(line.startswith("(no room") for line in lines)
        return
    titles = lines[0].split()
    assert {"node", "daemon", "service", "problem"} <= set(titles)
    gone = [title for title in STATUS if title not in titles]
    assert set(gone) == set(SPARE[: len(gone)])
    assert bool(gone) is (form == "fewer columns")
    told = f"(no room for: {', '.join(gone)}; a wider terminal and a pipe show all)"
    assert (told in " ".join(lines)) is bool(gone)


def test_a_pipe_has_one_line_for_each_row_with_every_column():
    rows = [*nodes(2, NAMES["wide"]), ("n", None, "a\nb\tc", "", 0, "x", "y", LOST * 10)]
    lines = shown(rows, None)
    assert [len(re.split(" {2,}", line)) for line in lines] == [len(STATUS)] * 4
    assert re.split(" {2,}", lines[3])[:5] == ["n", "-", "a b c", "-", "0"]
    assert lines[3].endswith(LOST * 10)


def test_a_printed_table_in_a_pipe_has_no_trailing_blanks_and_no_colour(capsys):
    print_table(("node", "state"), [("node1", "pass"), ("a-longer-node", "failure")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["node           state", "node1          pass", "a-longer-node  failure"]


def test_numbers_stand_under_each_other_also_beside_wide_characters():
    rows = [("模型", 5, "a"), ("Ling", 16384, "b")]
    lines = [line.plain for line in table_lines(("model", "window", "x"), rows, None, numbers=("window",))]
    assert lines == ["model  window  x", "模型        5  a", "Ling    16384  b"]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three four five six", 28, ["x  y", "x  one two three four five", "   six"]),
        ("网络不通请检查网线和交换机端口", 28, ["x  y", "x  网络不通请检查网线和交换", "   机端口"]),
        # It is copied as one: the terminal breaks it, not lingctl.
        ("see /a/path/longer/than/that", 20, ["x: x", "  y:", "    see", "    /a/path/longer/than/that"]),
    ],
)
def test_texts_are_broken_between_words_and_chinese_between_characters(
    text: str, width: int, lines: list[str]
):
    assert [one.plain for one in table_lines(("x", "y"), [("x", text)], Screen(width, 24))] == lines


def test_a_table_of_no_rows_is_its_titles():
    assert shown([], Screen(40, 24)) == shown([], None) == ["  ".join(STATUS)]


def test_a_table_without_titles_has_no_empty_line():
    assert [one.plain for one in table_lines(("", " "), [("requests", 4)], None)] == ["requests  4"]
