"""The mesh on a terminal and in a pipe: marks in rows and columns with names, readable without colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from lingctl.checks.reach.picture import CardMatrix, Mark, MeshPicture, NodePair
from lingctl.findings import in_short
from lingctl.output.screen.terminal import answers, filled, joined, show, words
from lingctl.output.tables import print_table

_STYLES = {
    Mark.WHOLE: "green",
    Mark.PART: "yellow",
    Mark.NONE: "bold red",
    Mark.UNKNOWN: "magenta",
    Mark.UNTRIED: "dim",
}
# More rows and columns than these are told in words, and only those that are not whole.
_LARGEST_MATRIX = 16
# Pairs of nodes whose cards are shown: as many as have room in so many lines, below words fewer.
_MOST_UNFOLDED, _MOST_LINES = 6, 36
_MOST_BELOW_WORDS = 2
_MOST_ROWS = 12
_IN_A_PIPE = 80  # what is written there is read on a terminal later
_APART = 3


def print_mesh(picture: MeshPicture) -> None:
    """Print the pings: between two nodes card by card, between more of them first node by node."""
    out = answers()
    width = out.width if out.is_terminal else _IN_A_PIPE
    pairs = picture.unfolded()
    nodes = _of_nodes(picture) if 2 < len(picture.nodes) <= _LARGEST_MATRIX else []
    drawn = all(line.cell_len <= width for line in nodes) and len(picture.nodes) <= _LARGEST_MATRIX
    blocks = _unfolded(picture, pairs[: _MOST_UNFOLDED if drawn else _MOST_BELOW_WORDS], width)
    show(out=out)
    show(words(f"pings: {picture.answered:,} of {picture.made:,} answered"), out=out)
    if not drawn:
        _in_words(picture, out)
    elif nodes:
        _legend({picture.mark(*pair) for pair in picture.pairs()}, "node", out)
        for line in nodes:
            show(line, out=out)
    if not blocks:
        return
    if len(picture.nodes) > 2:
        show(out=out)
    _legend({mark for one in blocks for row in one.rows for mark in row}, "card", out)
    for line in _side_by_side(map(_of_cards, blocks), width):
        show(line, out=out)
    if left := len(pairs) - len(blocks):
        more = f"(and {left} more pair{'s'[: left > 1]} of nodes: lingctl check-network --html FILE has them)"
        show(words(more), out=out)


def _unfolded(picture: MeshPicture, pairs: Sequence[NodePair], width: int) -> list[CardMatrix]:
    """As many of the pairs, card by card, as have room; between two nodes both ways."""
    blocks = [picture.of_cards(*pair) for pair in pairs]
    while len(blocks) > 2 and len([*_side_by_side(map(_of_cards, blocks), width)]) > _MOST_LINES:
        blocks.pop()
    return blocks


def _legend(marks: set[Mark], what: str, out: Console) -> None:
    text = words(f"{what}s, row to column:")
    for mark in Mark:
        if mark in marks:
            text = joined(text, words("  "), words(mark, _STYLES[mark]), words(f" {_said(mark, what)}"))
    show(text, out=out, hang=2)


def _said(mark: Mark, what: str = "node") -> str:
    return "not all known" if mark is Mark.UNKNOWN and what == "node" else mark.meaning


def _of_nodes(picture: MeshPicture) -> list[Text]:
    """A row and a column for each node; columns are named by the number of the row."""
    ids = [str(number) for number, _ in enumerate(picture.nodes, 1)]
    names = [f"{one:>{len(ids[-1])}} {name}" for one, name in zip(ids, picture.nodes, strict=True)]
    label = max(map(len, names)) + 1
    rows = [
        [None if source == target else picture.mark(source, target) for target in picture.nodes]
        for source in picture.nodes
    ]
    return _matrix(" " * label, [name.ljust(label) for name in names], ids, rows)


def _in_words(picture: MeshPicture, out: Console) -> None:
    """Which nodes do not reach which, and how many ways are whole."""
    pairs = list(picture.pairs())
    bad = {pair: mark for pair in pairs if (mark := picture.mark(*pair)) is not Mark.WHOLE}
    whole = len(pairs) - len(bad)
    text = f"of {len(pairs):,} ways from node to node {whole:,} are whole"
    show(words(f"{text}; these are not:" if bad else text), out=out)
    rows = [
        (in_short(sources), in_short(targets), f"{_said(mark)}: {_counted(picture, sources, targets)}")
        for mark, sources, targets in _grouped(bad)
    ]
    if rows:
        print_table(("from", "to", "answered"), rows[:_MOST_ROWS], texts=(), console=out)
    if len(rows) > _MOST_ROWS:
        show(
            words(f"(and {len(rows) - _MOST_ROWS} more: lingctl check-network --html FILE has them)"), out=out
        )


def _grouped(bad: Mapping[NodePair, Mark]) -> Iterator[tuple[Mark, list[str], list[str]]]:
    """The ways of one mark; sources with the same targets together, those with most of them first."""
    for mark in Mark:
        targets: dict[str, list[str]] = {}
        for (source, target), found in bad.items():
            if found is mark:
                targets.setdefault(source, []).append(target)
        sources: dict[tuple[str, ...], list[str]] = {}
        for source, reached in targets.items():
            sources.setdefault(tuple(reached), []).append(source)
        for names, alike in sorted(sources.items(), key=lambda found: -len(found[0]) * len(found[1])):
            yield mark, alike, list(names)


def _counted(picture: MeshPicture, sources: Sequence[str], targets: Sequence[str]) -> str:
    counts = [picture.count(source, target) for source in sources for target in targets if source != target]
    return f"{sum(one for one, _ in counts):,} of {sum(made for _, made in counts):,}"


def _of_cards(matrix: CardMatrix) -> list[Text]:
    """A row for each card of the source, a column for each of the target."""
    names, head = [f"{matrix.source}/{card}" for card in matrix.sources], f"to {matrix.target}/"
    label = max(len(head), *map(len, names))
    labels, ids = [name.rjust(label) for name in names], [str(card) for card in matrix.targets]
    return _matrix(head.rjust(label), labels, ids, matrix.rows, "bold")


def _matrix(
    corner: str,
    labels: Sequence[str],
    ids: Sequence[str],
    rows: Sequence[Sequence[Mark | None]],
    style: str = "",
) -> list[Text]:
    """A head of column names, and a row of marks behind each label."""
    pitch = max(map(len, ids), default=1) + 1
    lines = [words(corner + "".join(f"{one:>{pitch}}" for one in ids), style)]
    for label, row in zip(labels, rows, strict=True):
        marks = (words(f"{mark or '':>{pitch}}", _STYLES[mark] if mark else "") for mark in row)
        line = joined(words(label), *marks)
        line.rstrip()
        lines.append(line)
    return lines


def _side_by_side(blocks: Iterable[list[Text]], width: int) -> Iterator[Text]:
    """Blocks beside one another as long as they fit, the others below."""
    waiting, first = list(blocks), True
    while waiting:
        row = [waiting.pop(0)]
        while waiting and sum(map(_width, row)) + _width(waiting[0]) + _APART * len(row) <= width:
            row.append(waiting.pop(0))
        if not first:
            yield words("")
        first = False
        widths = [_width(block) + _APART for block in row]
        for parts in zip_longest(*row, fillvalue=words("")):
            line = joined(*(filled(part, wide) for part, wide in zip(parts, widths, strict=True)))
            line.rstrip()
            yield line


def _width(block: Sequence[Text]) -> int:
    return max(line.cell_len for line in block)
