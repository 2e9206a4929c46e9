"""The mesh as matrices that can be read: of nodes, and of the cards of two nodes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.scope import Scope
from lingctl.checks.reach.mesh import Hit

NodePair = tuple[str, str]
# Of the pairs of nodes whose cards are told, in a document.
_MOST_PAIRS = 100


class Mark(StrEnum):
    """What became of the pings between two cards, or two nodes: a letter of the matrix."""

    WHOLE = "o"  # all answered; of nodes: and every card of both was tried
    PART = "/"  # answered in part
    NONE = "X"  # not answered
    UNKNOWN = "?"  # not known; of nodes: some cards were not tried, or some results cannot be read
    UNTRIED = "."  # not tried

    @property
    def meaning(self) -> str:
        """In words."""
        return _MEANINGS[self]


_MEANINGS = {
    Mark.WHOLE: "answered",
    Mark.PART: "in part",
    Mark.NONE: "none",
    Mark.UNKNOWN: "not known",
    Mark.UNTRIED: "not tried",
}


@dataclass(frozen=True, slots=True)
class CardMatrix:
    """The pings from the cards of one node to those of another."""

    source: str
    target: str
    sources: tuple[int, ...]  # physical ids, a row each
    targets: tuple[int, ...]  # a column each
    rows: tuple[tuple[Mark, ...], ...]

    def as_json(self) -> dict[str, object]:
        """Plain data; a row is a word of marks."""
        ids = {"sources": list(self.sources), "targets": list(self.targets)}
        return {"from": self.source, "to": self.target, **ids, "rows": ["".join(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class MeshPicture:
    """All pings that were made, by pair of nodes."""

    cards: dict[str, tuple[int, ...]]  # of each node, in order
    hits: dict[NodePair, list[Hit]]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.cards)

    @property
    def made(self) -> int:
        """How many pings."""
        return sum(map(len, self.hits.values()))

    @property
    def answered(self) -> int:
        """How many of them were answered in full."""
        return sum(hit.ok for hits in self.hits.values() for hit in hits)

    def pairs(self) -> Iterator[NodePair]:
        """Every node with every other one."""
        for source in self.cards:
            yield from ((source, target) for target in self.cards if target != source)

    def mark(self, source: str, target: str) -> Mark:
        """What became of the pings from one node to another."""
        hits = self.hits.get((source, target), [])
        if not hits:
            return Mark.UNTRIED
        marks = {_mark(hit) for hit in hits}
        if marks <= {Mark.WHOLE}:
            tried = {hit.shot.source[1] for hit in hits} >= set(self.cards[source])
            reached = {hit.shot.target[1] for hit in hits} >= set(self.cards[target])
            return Mark.WHOLE if tried and reached else Mark.UNKNOWN
        if marks <= {Mark.WHOLE, Mark.UNKNOWN}:
            return Mark.UNKNOWN
        return Mark.NONE if marks == {Mark.NONE} else Mark.PART

    def count(self, source: str, target: str) -> tuple[int, int]:
        """How many pings were answered from one node to another, and how many were made."""
        hits = self.hits.get((source, target), [])
        return sum(hit.ok for hit in hits), len(hits)

    def of_cards(self, source: str, target: str) -> CardMatrix:
        """Card by card, from one node to another."""
        marks = {(hit.shot.source[1], hit.shot.target[1]): _mark(hit) for hit in self.hits[source, target]}
        sources = tuple(sorted({*self.cards[source], *(card for card, _ in marks)}))
        targets = tuple(sorted({*self.cards[target], *(card for _, card in marks)}))
        rows = tuple(tuple(marks.get((row, column), Mark.UNTRIED) for column in targets) for row in sources)
        return CardMatrix(source, target, sources, targets, rows)

    def unfolded(self) -> list[NodePair]:
        """The pairs whose cards are worth a look, worst first: both of two nodes, else those that differ."""
        tried = [pair for pair in self.pairs() if pair in self.hits]
        if len(self.cards) == 2:
            return tried
        some = [pair for pair in tried if self.mark(*pair) in (Mark.PART, Mark.UNKNOWN)]
        return sorted(some, key=lambda pair: sum(hit.ok for hit in self.hits[pair]) / len(self.hits[pair]))

    def counts(self) -> list[list[str]]:
        """A row for each node: its name, then ``answered/made`` for each that it pinged, else ``-``."""
        said = {pair: "{}/{}".format(*self.count(*pair)) for pair in self.hits}
        return [[row, *(said.get((row, column), "-") for column in self.cards)] for row in self.cards]

    def as_json(self) -> dict[str, object]:
        """Plain data; ``blocks`` are those pairs of nodes whose cards are worth a look, the worst."""
        return {
            "nodes": list(self.nodes),
            "matrix": self.counts(),
            "marks": [
                "".join(" " if row == column else self.mark(row, column) for column in self.cards)
                for row in self.cards
            ],
            "blocks": [self.of_cards(*pair).as_json() for pair in self.unfolded()[:_MOST_PAIRS]],
        }


def mesh_picture(scope: Scope, hits: Sequence[Hit]) -> MeshPicture:
    """The picture of the pings between the cards of a scope."""
    found: dict[NodePair, list[Hit]] = defaultdict(list)
    for hit in hits:
        found[hit.shot.source[0], hit.shot.target[0]].append(hit)
    return MeshPicture({node.name: node.cards for node in scope.nodes}, dict(found))


def _mark(hit: Hit) -> Mark:
    if not isinstance(hit.ping, Ping):
        return Mark.UNKNOWN
    if hit.ok:
        return Mark.WHOLE
    return Mark.PART if hit.ping.received else Mark.NONE
