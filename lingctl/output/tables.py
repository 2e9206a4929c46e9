"""The one way to print a table: borderless, so that it reads the same in a pipe.

On a terminal no id, name, time or state is broken: texts are, between their words. Where that is not enough,
columns of little worth go, or each row becomes a block of ``title: value`` lines. In a pipe nothing is known
of a width: each row is one line of all columns, two blanks or more between them, ``-`` where one is empty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lingctl.output.screen.terminal import STYLES, answers, blanks, joined, one_line, show, words

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
    screen = Screen(out.width, out.height) if out.is_terminal else None
    for one in table_lines(columns, rows, screen, numbers=numbers, texts=texts, spare=spare):
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
    table = _Table(
        [words(title, "bold", _MOST_OF_A_CELL) for title in columns],
        [[_cell(value, nothing) for value in row] for row in rows],
        frozenset(number for number, title in enumerate(columns) if title in numbers),
        frozenset(number for number, title in enumerate(columns) if title in broken),
    )
    if screen is None:
        return table.lines(None)
    if table.least_width() <= screen.width or not rows:
        return table.lines(screen.width)
    blocks = table.blocks(screen.width)
    if screen.width < _NARROW and len(blocks) < screen.height:
        return blocks
    for count in range(1, len(spare) + 1):
        left = [number for number, title in enumerate(columns) if title not in spare[:count]]
        fewer = table.of(left)
        if fewer.least_width() <= screen.width:
            gone = ", ".join(title for title in columns if title in spare[:count])
            told = f"(no room for: {gone}; a wider terminal and a pipe show all)"
            return [*fewer.lines(screen.width), *_broken(words(told, "dim"), screen.width)]
    return table.lines(screen.width) if table.least_width(_LEAST_OF_ALL) <= screen.width else blocks


@dataclass(frozen=True, slots=True)
class _Table:
    titles: Sequence[Text]
    rows: Sequence[Sequence[Text]]
    numbers: frozenset[int]
    texts: frozenset[int]

    def of(self, columns: Sequence[int]) -> _Table:
        """The same with these columns alone."""
        return _Table(
            [self.titles[number] for number in columns],
            [[row[number] for number in columns] for row in self.rows],
            frozenset(new for new, old in enumerate(columns) if old in self.numbers),
            frozenset(new for new, old in enumerate(columns) if old in self.texts),
        )

    def least_width(self, text: int = _LEAST_OF_A_TEXT) -> int:
        """How wide it is when texts are broken to columns as wide as their longest word, and as ``text``."""
        return sum(self._least(text)) + _GAP * (len(self.titles) - 1)

    def lines(self, width: int | None) -> list[Text]:
        """Titles and rows; within a width, or as wide as they are."""
        widths = self._full() if width is None else self._widths(width)
        titled = any(title.plain.strip() for title in self.titles)
        return [
            one
            for row in ([self.titles] if titled else []) + list(self.rows)
            for one in self._row(row, widths)
        ]

    def blocks(self, width: int) -> list[Text]:
        """Each row as lines of ``title: value`` below its first one; what is empty is left out."""
        keys = [joined(title, words(":")) if title.plain.strip() else blanks(0) for title in self.titles]
        aligned = max((key.cell_len for key in keys[1:]), default=0)
        made = list[Text]()
        for row in self.rows:
            told = [(key, value) for key, value in zip(keys, row, strict=True) if value]
            for key, value in told[:1]:
                made.append(blanks(1).join(part for part in (key, _bold(value)) if part))
            for key, value in told[1:]:
                head = joined(blanks(2), _filled(key, aligned), blanks(1))
                made += _hanging(head, value, width)
        return made

    def _full(self) -> list[int]:
        return [max(cell.cell_len for cell in column) for column in self._columns()]

    def _least(self, text: int) -> list[int]:
        full = self._full()
        return [
            min(full[number], max(text, *map(_longest_word, column)))
            if number in self.texts
            else full[number]
            for number, column in enumerate(self._columns())
        ]

    def _widths(self, width: int) -> list[int]:
        """As wide as they are, or what is left, shared by the texts."""
        fits = self.least_width() <= width
        widths, full = self._least(_LEAST_OF_A_TEXT if fits else _LEAST_OF_ALL), self._full()
        left = width - sum(widths) - _GAP * (len(widths) - 1)
        while left > 0 and (growing := [n for n in range(len(widths)) if widths[n] < full[n]]):
            for number in growing[:left]:
                widths[number] += 1
            left -= len(growing[:left])
        return widths

    def _columns(self) -> list[tuple[Text, ...]]:
        return list(zip(self.titles, *self.rows, strict=True))

    def _row(self, cells: Sequence[Text], widths: Sequence[int]) -> list[Text]:
        parts = [
            _broken(cell, width) if number in self.texts else [cell]
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines = list[Text]()
        for place in range(max(map(len, parts))):
            line = blanks(0)
            for number, (part, width) in enumerate(zip(parts, widths, strict=True)):
                cell = part[place] if place < len(part) else blanks(0)
                line.append_text(_filled(cell, width, right=number in self.numbers))
                line.append(" " * _GAP)
            line.rstrip()
            lines.append(line)
        return lines


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


def _longest_word(text: Text) -> int:
    return max((cell_len(word.rstrip()) for word in _WORD.findall(text.plain)), default=0)


def _filled(text: Text, width: int, *, right: bool = False) -> Text:
    rest = blanks(width - text.cell_len)
    return joined(rest, text) if right else joined(text, rest)


def _bold(text: Text) -> Text:
    text = text.copy()
    text.stylize("bold")
    return text


def _cell(value: object, nothing: str) -> Text:
    text = "" if value is None else one_line(str(value))
    return words(text or nothing, STYLES.get(text, ""), _MOST_OF_A_CELL)
