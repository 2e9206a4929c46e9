"""A line of a file with a caret below the place that is spoken of. Pure."""

from __future__ import annotations

import re
import unicodedata

_MOST_CELLS = 64
# A line in which one of these stands may hold what nobody else should read.
_SECRET = re.compile(r"passw(or)?d|passphrase|\bpass\b|secret|token\b|credential|\bpwd\b", re.IGNORECASE)


def source_line(line: str, column: int) -> str:
    """The line from its first letter on, and a caret below ``column``; empty where it may hold a secret.

    Args:
        column: counted from 1, in characters.
    """
    if not line.strip() or _SECRET.search(line):
        return ""
    at = column - 1
    start = min(len(line) - len(line.lstrip(" ")), at)
    while start < at and _cells(line[start:at]) > _MOST_CELLS // 2:
        start += 1
    end = start
    while end < len(line) and _cells(line[start : end + 1]) <= _MOST_CELLS:
        end += 1
    shown = "".join(_visible(letter) for letter in line[start:end]).rstrip()
    return f"{shown}\n{' ' * _cells(line[start:at])}^" if shown else ""


def _visible(letter: str) -> str:
    """The same, or a mark of one cell for what cannot be seen, or moves the cursor."""
    kind = unicodedata.category(letter)
    if letter == "\t" or (kind == "Zs" and letter != " "):
        return "_"
    return "?" if kind in ("Cc", "Cf", "Cs", "Mn", "Me") else letter


def _cells(text: str) -> int:
    wide = (unicodedata.east_asian_width(_visible(letter)) in "WF" for letter in text)
    return len(text) + sum(wide)
