"""Tables as Markdown writes them."""

from __future__ import annotations

from collections.abc import Iterable


def row(cells: Iterable[str]) -> str:
    """One row; what would end a cell is written out."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A table, and a blank line behind it."""
    head = tuple(head)
    return [row(head), "|" + "---|" * len(head), *map(row, rows), ""]
