"""The one way to print a table: borderless, so that it reads the same in a pipe.

On a terminal no id, name, time or state is broken: texts are, between their words. Where that is not enough,
columns of little worth go, or each row becomes a block of ``title: value`` lines. In a pipe nothing is known
of a width: each row is one line of all columns, two blanks or more between them, ``-`` where one is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lingctl.output.screen.terminal import STYLES, answers, blanks, filled, joined, one_line, show, words

_MOST_OF_A_CELL = 1_000
_GAP = 2  # blanks between columns
_LEAST_OF_A_TEXT = 24  # a text in a narrower column is hard to read
_LEAST_OF_ALL = 12  # and still better than many screens of blocks
# Below it a table that lacks columns is mostly holes: blocks say all, as long as they are on one screen.
_NARROW = 100
# Chinese and Japanese have no blanks: a line may end behind each of their characters.
_HAN = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_HAN}]\s*|[^\s{_HAN}]+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Screen:
    """What a table has to fit, in characters and lines."""

    width: int
    height: int


def screen_of(console: Console) -> Screen | None:
    """That of a terminal; none for a pipe."""
    return Screen(*console.size) if console.is_terminal else None


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    texts: Sequence[str] | None = None,
    spare: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print rows under column titles; a verdict's word is coloured.

    Args:
        columns: the titles.
        rows: as many values each; None and "" are nothing.
        numbers: columns that are aligned to the right.
        texts: columns that may be broken between their words; by default the last one, if it is no number.
        spare: columns that a narrow terminal may lack, those of least worth first.
        console: where to; by default standard output.
    """
    out = console or answers()
    for one in table_lines(columns, rows, screen_of(out), numbers=numbers, texts=texts, spare=spare):
        show(one, out=out)


def table_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    screen: Screen | None,
    *,
    numbers: Sequence[str] = (),
    texts: Sequence[str] | None = None,
    spare: Sequence[str] = (),
) -> list[Text]:
    """The lines of a table on a screen, or in a pipe where there is none. Arguments as of ``print_table``."""
    broken = [title for title in columns[-1:] if title not in numbers] if texts is None else texts
    nothing = "" if screen else "-"
    table = [
        _Column(
            words(title, "bold", _MOST_OF_A_CELL),
            [_cell(row[place], nothing) for row in rows],
            right=title in numbers,
            breaks=title in broken,
        )
        for place, title in enumerate(columns)
    ]
    if screen is None:
        return _lines(table, [column.full for column in table])
    width = screen.width
    if _least_width(table) <= width or not rows:
        return _lines(table, _widths(table, width))
    blocks = _blocks(table, width)
    if width < _NARROW and len(blocks) < screen.height:
        return blocks
    for count in range(1, len(spare) + 1):
        fewer = [one for title, one in zip(columns, table, strict=True) if title not in spare[:count]]
        if _least_width(fewer) <= width:
            gone = ", ".join(title for title in columns if title in spare[:count])
            told = f"(no room for: {gone}; a wider terminal and a pipe show all)"
            return [*_lines(fewer, _widths(fewer, width)), *_broken(words(told, "dim"), width)]
    return _lines(table, _widths(table, width)) if _least_width(table, _LEAST_OF_ALL) <= width else blocks


@dataclass(frozen=True)
class _Column:
    title: Text
    cells: Sequence[Text]
    right: bool  # aligned
    breaks: bool  # between its words

    @cached_property
    def full(self) -> int:
        """How wide it is where nothing is broken."""
        return max(cell.cell_len for cell in (self.title, *self.cells))

    @cached_property
    def longest_word(self) -> int:
        """How wide its longest word is."""
        found = (word for cell in (self.title, *self.cells) for word in _WORD.findall(cell.plain))
        return max((cell_len(word.rstrip()) for word in found), default=0)

    def least(self, text: int) -> int:
        """How wide it is where texts are broken to columns as wide as their longest word, and as ``text``."""
        return min(self.full, max(text, self.longest_word)) if self.breaks else self.full


def _least_width(table: Sequence[_Column], text: int = _LEAST_OF_A_TEXT) -> int:
    return sum(column.least(text) for column in table) + _GAP * (len(table) - 1)


def _widths(table: Sequence[_Column], width: int) -> list[int]:
    """As wide as they are, or what is left, shared by the texts."""
    least = _LEAST_OF_A_TEXT if _least_width(table) <= width else _LEAST_OF_ALL
    widths = [column.least(least) for column in table]
    left = width - sum(widths) - _GAP * (len(widths) - 1)
    while left > 0 and (growing := [n for n, column in enumerate(table) if widths[n] < column.full]):
        for number in growing[:left]:
            widths[number] += 1
        left -= len(growing[:left])
    return widths


def _lines(table: Sequence[_Column], widths: Sequence[int]) -> list[Text]:
    """Titles and rows."""
    titles = [column.title for column in table]
    titled = any(title.plain.strip() for title in titles)
    rows = [titles] * titled + [list(row) for row in zip(*(column.cells for column in table), strict=True)]
    return [line for row in rows for line in _row(table, row, widths)]


def _row(table: Sequence[_Column], cells: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    parts = [
        _broken(cell, width) if column.breaks else [cell]
        for column, cell, width in zip(table, cells, widths, strict=True)
    ]
    for line in zip_longest(*parts, fillvalue=blanks(0)):
        told = blanks(_GAP).join(
            filled(part, width, right=column.right)
            for column, part, width in zip(table, line, widths, strict=True)
        )
        told.rstrip()
        yield told


def _blocks(table: Sequence[_Column], width: int) -> list[Text]:
    """Each row as lines of ``title: value`` below its first one; what is empty is left out."""
    keys = [joined(column.title, words(":")) if column.title.plain.strip() else blanks(0) for column in table]
    aligned = max((key.cell_len for key in keys[1:]), default=0)
    made = list[Text]()
    for row in zip(*(column.cells for column in table), strict=True):
        told = [(key, value) for key, value in zip(keys, row, strict=True) if value]
        for key, value in told[:1]:
            made.append(blanks(1).join(part for part in (key, _bold(value)) if part))
        for key, value in told[1:]:
            head = joined(blanks(2), filled(key, aligned), blanks(1))
            made += _hanging(head, value, width)
    return made


def _hanging(head: Text, value: Text, width: int) -> list[Text]:
    """A value behind its title, its further lines below it; all of it below, where little room is left."""
    room = width - head.cell_len
    if value.cell_len <= room:
        return [joined(head, value)]
    if room < _LEAST_OF_A_TEXT:
        head.rstrip()
        return [head, *(joined(blanks(4), part) for part in _broken(value, width - 4))]
    first, *more = _broken(value, room)
    return [joined(head, first), *(joined(blanks(head.cell_len), part) for part in more)]


def _broken(text: Text, width: int) -> list[Text]:
    """A text in lines of a width, broken between words.

    A word that is longer stands out, and is left to the terminal: so it can be copied as one.
    """
    breaks, at = list[int](), 0
    for found in _WORD.finditer(text.plain):
        wide = cell_len(found[0].rstrip())
        if at and at + wide > width:
            breaks.append(found.start())
            at = 0
        at += cell_len(found[0])
    lines = list(text.divide(breaks))
    for one in lines:
        one.rstrip()
    return lines


def _bold(text: Text) -> Text:
    text = text.copy()
    text.stylize("bold")
    return text


def _cell(value: object, nothing: str) -> Text:
    text = "" if value is None else one_line(str(value))
    return words(text or nothing, STYLES.get(text, ""), _MOST_OF_A_CELL)
