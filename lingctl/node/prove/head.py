"""The head: logits of the whole vocabulary at every place of an answer, a part of it at a time.

``norm_head``: each column of the head, over the whole vocabulary, by its length plus 1e-7, in float32.
Dividing the hidden numbers by the lengths instead is the same but for the last bit; only the rounded stream
needs the weight itself, which engines keep in bfloat16.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from lingctl.node.prove.answers import ChoiceTold, PlaceTold
from lingctl.node.prove.arrays import Array
from lingctl.node.prove.streams import EXACT, HEAD, ROUNDED

_PART = 8192  # rows of the head at once
CANDIDATES = 8  # first choices of the reference that are compared with the rounded stream's numbers
_SMALL = 1e-7


class AskedPlace(NamedTuple):
    """What is asked of one place of an answer."""

    tokens: Tuple[int, ...]  # whose logits are told; the first is the answer's own


class HeldHead:
    """The head of a model, held as it was stored.

    Args:
        arrays: NumpyArrays or TorchArrays.
        stored: its bytes.
        normalise: whether its columns are to be normalised.
    """

    def __init__(
        self,
        arrays: Any,  # noqa: ANN401  (either kind of arrays)
        stored: bytearray,
        dtype: str,
        rows: int,
        columns: int,
        *,
        normalise: bool,
    ) -> None:
        self._arrays, self._stored, self._dtype = arrays, memoryview(stored), dtype
        self._rows, self._columns, self._normalise = rows, columns, normalise
        squares = 0
        for first in range(0, rows, _PART):
            squares = squares + arrays.squares(self._part(first))
        self._lengths = arrays.lengths(squares) + _SMALL

    @property
    def uneven(self) -> bool:
        """Whether normalising changes anything: columns that have length 1 already are left as they are."""
        return any(abs(length - 1.0) > 1e-2 for length in self._lengths.tolist())

    def sweep(self, hidden: Dict[str, Array], wanted: Sequence[AskedPlace]) -> List[PlaceTold]:
        """What each stream says at each place.

        Args:
            hidden: normalised states [places, hidden] by stream; the control of the head is one more here.
            wanted: by place.
        """
        arrays, plain = self._arrays, self._without(hidden)
        gathered = {name: _Gathered(arrays) for name in hidden}
        best = _Best(arrays)
        picks: Dict[str, List[Dict[int, float]]] = {name: [{} for _ in wanted] for name in hidden}
        for first in range(0, self._rows, _PART):
            weight = self._part(first)
            found: Dict[str, Array] = {}
            for name, states in plain.items():
                if name == ROUNDED:
                    kept = arrays.rounded(weight / self._lengths) if self._normalise else weight
                    found[name] = arrays.rounded(states @ kept.T)
                else:
                    found[name] = states @ weight.T
                gathered[name].add(found[name], first)
            best.add(found[EXACT], found[ROUNDED], first)
            for place, one in enumerate(wanted):
                for token in one.tokens:
                    if first <= token < first + len(weight):
                        for name, logits in found.items():
                            picks[name][place][token] = float(logits[place, token - first])
        sums = {name: one.log_sums() for name, one in gathered.items()}
        told = []
        for place, one in enumerate(wanted):
            choices = {
                name: ChoiceTold(
                    gathered[name].token(place),
                    gathered[name].logit(place),
                    sums[name][place],
                    tuple(picks[name][place][token] for token in one.tokens),
                )
                for name in hidden
            }
            told.append(PlaceTold(choices, *best.at(place)))
        return told

    def _without(self, hidden: Dict[str, Array]) -> Dict[str, Array]:
        """States that the stored weight is to be multiplied with, in the place of one that is normalised."""
        found = {}
        for name, states in hidden.items():
            normalised = self._normalise != (name == HEAD)
            found[name] = states / self._lengths if normalised and name != ROUNDED else states
        return found

    def _part(self, first: int) -> Array:
        end = min(self._rows, first + _PART)
        width = len(self._stored) // self._rows
        data = bytearray(self._stored[first * width : end * width])
        return self._arrays.widen(data, self._dtype, (end - first, self._columns))


class _Gathered:
    """The first choice and the sum of one stream, part by part."""

    def __init__(self, arrays: Any) -> None:  # noqa: ANN401  (as above)
        self._arrays = arrays
        self._sums: List[List[float]] = []
        self._best: List[Tuple[float, int]] = []

    def add(self, logits: Array, first: int) -> None:
        """The next part of the vocabulary."""
        self._sums.append(self._arrays.log_sums(logits))
        values, places = self._arrays.top(logits, 1)
        these = [(v[0], p[0] + first) for v, p in zip(values.tolist(), places.tolist())]
        self._best = (
            [max(old, new, key=_by_logit) for old, new in zip(self._best, these)] if self._best else these
        )

    def token(self, place: int) -> int:
        """Its first choice."""
        return self._best[place][1]

    def logit(self, place: int) -> float:
        """Its logit."""
        return self._best[place][0]

    def log_sums(self) -> List[float]:
        """Over the whole vocabulary."""
        by_place = [list(sums) for sums in zip(*self._sums)]
        sums: List[float] = self._arrays.log_sums(self._arrays.floats(by_place))
        return sums


class _Best:
    """The reference's first choices, with the rounded stream's logits of the same."""

    def __init__(self, arrays: Any) -> None:  # noqa: ANN401  (as above)
        self._arrays = arrays
        self._rows: List[List[Tuple[float, int, float]]] = []

    def add(self, exact: Array, rounded: Array, first: int) -> None:
        """The next part of the vocabulary."""
        values, places = self._arrays.top(exact, CANDIDATES)
        beside = self._arrays.picked(rounded, places)
        these = [
            [(v, p + first, r) for v, p, r in zip(*row)]
            for row in zip(values.tolist(), places.tolist(), beside.tolist())
        ]
        before = self._rows or [[] for _ in these]
        self._rows = [
            sorted([*old, *new], key=lambda one: -one[0])[:CANDIDATES] for old, new in zip(before, these)
        ]

    def at(self, place: int) -> Tuple[Tuple[int, ...], Tuple[float, ...], Tuple[float, ...]]:
        """Tokens, exact logits, rounded logits."""
        row = self._rows[place]
        return tuple(p for _, p, _ in row), tuple(v for v, _, _ in row), tuple(r for _, _, r in row)


def _by_logit(one: Tuple[float, int]) -> float:
    return one[0]
