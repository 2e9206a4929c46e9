"""How golden texts are kept: some whole, the others as their difference from the nearest of these.

A difference is an ordinary unified one, whose first line names the file that it starts from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path

FOLDER = Path(__file__).parent
_PLACE = re.compile(r"@@ -(\d+)")


def recorded(name: str) -> str:
    """The text that was recorded under a name like ``3.0.0/Ling-plus``."""
    whole = FOLDER / f"{name}.txt"
    if whole.exists():
        return whole.read_text(encoding="utf-8")
    lines = (FOLDER / f"{name}.diff").read_text(encoding="utf-8").splitlines(keepends=True)
    base = lines[0].removeprefix("--- ").strip()
    return _applied(recorded(base.removesuffix(".txt")).splitlines(keepends=True), lines[2:])


def record(texts: Mapping[str, str], whole: set[str]) -> None:
    """Write the texts: those named ``whole`` as they are, the others as what is shortest to tell."""
    for old in recorded_files():
        old.unlink()
    for name, text in texts.items():
        path = FOLDER / f"{name}.{'txt' if name in whole else 'diff'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in whole:
            text = min(
                (difference(f"{base}.txt", texts[base], name, text) for base in sorted(whole)), key=len
            )
        path.write_text(text, encoding="utf-8")


def recorded_files() -> list[Path]:
    """Every file of recorded texts."""
    return sorted([*FOLDER.rglob("*.txt"), *FOLDER.rglob("*.diff")])


def difference(first: str, before: str, second: str, after: str) -> str:
    """What leads from one text to another, for people and for ``recorded``; empty if nothing."""
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    return "".join(unified_diff(old, new, first, second))


def _applied(base: list[str], hunks: list[str]) -> str:
    result, at = [], 0
    for line in hunks:
        if place := _PLACE.match(line):
            start = int(place[1]) - 1
            result += base[at:start]
            at = start
        elif line.startswith("+"):
            result.append(line[1:])
        else:
            assert base[at] == line[1:], f"the difference does not fit its base at {line!r}"
            result += base[at : at + 1] if line.startswith(" ") else []
            at += 1
    return "".join(result + base[at:])
