"""The mesh on a page: the matrix of nodes, and the cards of those pairs that are worth a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lingctl.checks.reach.picture import Mark
from lingctl.output.pages.sheet import Words, safe

# Names stand above few columns; above many, the number of the row.
_MOST_NAMES = 8
_CLASSES = {
    Mark.WHOLE: "whole",
    Mark.PART: "part",
    Mark.NONE: "none",
    Mark.UNKNOWN: "unread",
    Mark.UNTRIED: "untried",
}


def mesh_tables(data: Mapping[str, Any], words: Words) -> str:
    """The mesh as ``MeshPicture.as_json`` has it; empty where there are fewer than two nodes."""
    names: Sequence[str] = data.get("nodes") or []
    counts: Sequence[Sequence[str]] = data.get("matrix") or []
    if len(names) < 2 or not counts:
        return ""
    marks: Sequence[str] = data.get("marks") or [""] * len(counts)
    blocks: Sequence[Mapping[str, Any]] = data.get("blocks") or []
    nodes = _nodes(names, counts, marks)
    cells = "".join(_cards(block) for block in blocks)
    return f'{_legend(words)}<div class="scroll">{nodes}</div><div class="cells">{cells}</div>'


def _legend(words: Words) -> str:
    said = (
        f'<span class="{_CLASSES[mark]}">&nbsp;{mark}&nbsp;</span> {safe(words[f"mark.{mark.name.lower()}"])}'
        for mark in Mark
    )
    return f'<p class="mesh">{safe(words["mesh.legend"])} {" &ensp; ".join(said)}</p>'


def _nodes(names: Sequence[str], counts: Sequence[Sequence[str]], marks: Sequence[str]) -> str:
    few = len(names) <= _MOST_NAMES
    titles = names if few else [str(number) for number in range(1, len(names) + 1)]
    head = "".join(f"<th>{safe(title)}</th>" for title in titles)
    rows = []
    for number, row in enumerate(counts):
        label = row[0] if few else f"{number + 1} {row[0]}"
        own = marks[number] if number < len(marks) else ""
        cells = "".join(
            _cell("" if place == number else cell, own[place : place + 1], own=place == number, short=not few)
            for place, cell in enumerate(row[1:])
        )
        rows.append(f"<tr><th>{safe(label)}</th>{cells}</tr>")
    return f'<table class="mesh"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _cards(block: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{safe(card)}</th>" for card in block["targets"])
    rows = "".join(
        f"<tr><th>{safe(block['from'])}/{safe(card)}</th>{''.join(_cell(mark, mark) for mark in row)}</tr>"
        for card, row in zip(block["sources"], block["rows"], strict=False)
    )
    head = f"<tr><th>&rarr; {safe(block['to'])}/</th>{head}</tr>"
    return f'<div class="scroll"><table class="mesh">{head}{rows}</table></div>'


def _cell(text: str, mark: str, *, own: bool = False, short: bool = False) -> str:
    """A count and its mark; ``short``: the mark alone, and the count where the pointer is."""
    if own or mark not in tuple(Mark):
        return f'<td class="{"own" if own else ""}">{safe(text)}</td>'
    kind = _CLASSES[Mark(mark)]
    if short:
        return f'<td class="{kind}" title="{safe(text)}">{safe(mark)}</td>'
    return f'<td class="{kind}">{safe(text if text == mark else f"{text} {mark}")}</td>'
