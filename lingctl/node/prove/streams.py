"""Who goes through the model side by side, so that every weight is read once for all of them. Pure.

The first is the reference. The second is the same in bfloat16, rounded after every operation as an engine
rounds: how far it goes astray is the noise that is measured, on this model and these texts. The others make
one deliberate error each; an answer that does not clearly contradict them proves nothing.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence

EXACT, ROUNDED = "exact", "rounded"
EXPERTS, HEADS, HEAD = "experts-exchanged", "heads-dealt-wrongly", "head-normalisation"
ROUTER = "router-likelihoods"


class Lanes(NamedTuple):
    """The streams that go through the layers, as blocks of rows of equal length, one below the other."""

    names: Sequence[str]
    length: int

    def rows(self, name: str) -> slice:
        """The rows of a stream."""
        first = self.names.index(name) * self.length
        return slice(first, first + self.length)

    @property
    def all_rows(self) -> int:
        """How many rows there are."""
        return len(self.names) * self.length

    def heads(self, name: str, count: int) -> List[int]:
        """The order in which a stream takes heads: each one's neighbour, where they are dealt wrongly."""
        order = list(range(count))
        return order[1:] + order[:1] if name == HEADS else order


def lanes(controls: Sequence[str], length: int) -> Lanes:
    """The streams of a run; the head's normalisation is only asked at the end."""
    return Lanes([EXACT, ROUNDED, *(name for name in controls if name != HEAD)], length)


def exchanged(chosen: Sequence[Sequence[int]]) -> Dict[int, int]:
    """The two experts that are chosen most, each for the other.

    Args:
        chosen: of each row of the reference, its experts.
    """
    counts: Dict[int, int] = {}
    for row in chosen:
        for expert in row:
            counts[expert] = counts.get(expert, 0) + 1
    most = sorted(counts, key=lambda expert: (-counts[expert], expert))[:2]
    return {most[0]: most[1], most[1]: most[0]} if len(most) == 2 else {}
