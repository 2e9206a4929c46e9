"""The one way to print a table: borderless, so that it reads the same in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lingctl.output.terminal import STYLES, answers, words

_MOST_OF_A_CELL = 1_000


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print rows under column titles; a verdict's word is coloured, ``numbers`` are aligned to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in columns:
        table.add_column(words(title), justify="right" if title in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out = console or answers()
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    # Rich fills every line up to the table's width; a pipe or a log wants none of that.
    for line in captured.get().splitlines():
        out.out(line.rstrip(), highlight=False)


def _cell(value: object) -> Text:
    text = "" if value is None else str(value)
    return words(text, STYLES.get(text, ""), _MOST_OF_A_CELL)
