"""Characters that look like YAML's own and are not: full-width ones, odd blanks, long dashes. Pure.

An input method for Chinese writes them where ``:``, ``,`` or a blank is meant, and YAML's reader then
complains of something else, lines later.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

# Each with what YAML knows. What is of double width is found by its range, where that gives what is meant.
_MEANT = {
    "、": ",",
    "；": ",",
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": "'",
    "’": "'",
    "【": "[",
    "】": "]",
    "–": "-",
    "—": "-",
    "−": "-",
    "‐": "-",
    "‑": "-",
    "\ufeff": "",
    "\u200b": "",
    "\u2060": "",
}
_WIDE = 0xFEE0  # between a letter of double width and the usual one
_OPENS_QUOTE = frozenset(" \t[{,:-")


@dataclass(frozen=True, slots=True)
class OddCharacter:
    """One of them, with its place; line and column are counted from 1."""

    line: int
    column: int
    character: str
    meant: str  # what to write for it; empty: nothing
    times: int = 1  # how often it stands there in a row

    @property
    def named(self) -> str:
        """Its number, and its name in Unicode."""
        name = unicodedata.name(self.character, "").lower()
        if self.character == "\t":
            name = "tab"
        times = f" ({self.times} of them)" if self.times > 1 else ""
        return f"U+{ord(self.character):04X}" + (f" {name}" if name else "") + times


def odd_characters(text: str, *, in_quotes: bool = False) -> Iterator[OddCharacter]:
    """Those of ``_each``, with such as stand in a row told once."""
    # In a row the column less the number of the find stays the same.
    numbered = enumerate(_each(text, in_quotes=in_quotes))
    for _, row in groupby(numbered, lambda pair: (pair[1].line, pair[1].column - pair[0], pair[1].character)):
        first, *more = (odd for _, odd in row)
        yield replace(first, times=1 + len(more))


def _each(text: str, *, in_quotes: bool) -> Iterator[OddCharacter]:
    """Those that stand outside of comments and quoted texts, in the order of the file.

    Args:
        in_quotes: also those in quoted texts, whose quotes may themselves be the mistake.
    """
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        indented = True
        before = " "
        for column, character in enumerate(line, 1):
            if character == "\ufeff" and number == column == 1:
                continue
            if quote and not in_quotes:
                escaped = quote == '"' and before == "\\"
                quote = "" if character == quote and not escaped else quote
                before = "" if escaped else character
                continue
            if character == "#" and before in " \t":
                break
            if character in "\"'" and before in _OPENS_QUOTE and not in_quotes:
                quote = character
            meant = _meant(character, indented=indented)
            if meant is not None:
                yield OddCharacter(number, column, character, meant)
            indented = indented and character in " \t"
            before = character


def _meant(character: str, *, indented: bool) -> str | None:
    if character == "\t":
        return " " if indented else None
    if character < "\x80":
        return None
    if character in _MEANT:
        return _MEANT[character]
    if "！" <= character <= "～":
        return chr(ord(character) - _WIDE)
    return " " if unicodedata.category(character) == "Zs" else None
