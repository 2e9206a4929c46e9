"""The one way to print a table: borderless, so that it reads the same in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lingctl.output.terminal import STYLES, answers, words

_MOST_OF_A_CELL = 1_000
_GAP = 2  # blanks between columns
_LEAST_OF_A_TEXT = 24  # a text in a narrower column cannot be read


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    console: Console | None = None,
    whole: bool = False,
) -> None:
    """Print rows under column titles; a verdict's word is coloured, ``numbers`` are aligned to the right.

    What is to stay ``whole`` is broken in the last column alone; on a terminal that is too narrow for that,
    each row becomes lines of title and value.
    """
    out = console or answers()
    if whole and out.is_terminal and _least_width(columns, rows) > out.width:
        _print_blocks(columns, rows, out)
        return
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for title in columns:
        table.add_column(
            words(title),
            justify="right" if title in numbers else "left",
            overflow="fold",
            no_wrap=whole and title != columns[-1],
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    # Rich fills every line up to the table's width; a pipe or a log wants none of that.
    for line in captured.get().splitlines():
        out.out(line.rstrip(), highlight=False)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """How wide a table is in which only the last column is broken, between its words."""
    cells = [[words(title) for title in columns], *([_cell(value) for value in row] for row in rows)]
    *whole, last = zip(*cells, strict=True)
    widths = [max(text.cell_len for text in column) for column in whole]
    longest: int = max(cell_len(word) for text in last for word in text.plain.split(" "))
    wanted: int = min(_LEAST_OF_A_TEXT, max(text.cell_len for text in last))
    return int(sum(widths)) + max(longest, wanted) + _GAP * len(columns)


def _print_blocks(columns: Sequence[str], rows: Sequence[Sequence[object]], out: Console) -> None:
    """Each row as lines of title and value below its first cell; what is empty is left out."""
    for row in rows:
        first = _cell(row[0])
        first.stylize("bold")
        out.print(first)
        block = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
        block.add_column(no_wrap=True)
        block.add_column(overflow="fold")
        for title, value in zip(columns[1:], row[1:], strict=True):
            if value not in (None, ""):
                block.add_row(words(f"  {title}"), _cell(value))
        out.print(block)


def _cell(value: object) -> Text:
    text = "" if value is None else str(value)
    return words(text, STYLES.get(text, ""), _MOST_OF_A_CELL)
