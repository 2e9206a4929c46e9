"""The head: logits of the whole vocabulary at every place of an answer, a part of it at a time.

``norm_head``: each column of the head, over the whole vocabulary, by its length plus 1e-7, in float32.
Dividing the hidden numbers by the lengths instead is the same but for the last bit; only the rounded stream
needs the weight itself, which engines keep in bfloat16.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from lingctl.node.prove.answers import ChoiceTold, PlaceTold
from lingctl.node.prove.arrays import Array
from lingctl.node.prove.streams import EXACT, HEAD, ROUNDED

_PART = 8192  # rows of the head at once
CANDIDATES = 8  # first choices of the reference that are compared with the rounded stream's numbers
_SMALL = 1e-7


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
        self._lengths = arrays.floats((squares**0.5).tolist()) + _SMALL

    @property
    def uneven(self) -> bool:
        """Whether normalising changes anything: columns that have length 1 already are left as they are."""
        return any(abs(length - 1.0) > 1e-2 for length in self._lengths.tolist())

    def sweep(self, hidden: Dict[str, Array], wanted: Sequence[Sequence[int]]) -> List[PlaceTold]:
        """What each stream says at each place.

        Args:
            hidden: normalised states [places, hidden] by stream; the control of the head is one more here.
            wanted: by place, the tokens whose logits are told.
        """
        arrays, plain = self._arrays, self._without(hidden)
        gathered = {name: _Gathered(arrays) for name in hidden}
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
            for name, logits in found.items():
                gathered[name].add(logits, found[ROUNDED], first)
            for place, one in enumerate(wanted):
                for token in one:
                    if first <= token < first + len(weight):
                        for name, logits in found.items():
                            picks[name][place][token] = float(logits[place, token - first])
        sums = {name: one.log_sums() for name, one in gathered.items()}
        told = []
        for place, one in enumerate(wanted):
            choices = {}
            for name, stream in gathered.items():
                logit, token, _ = stream.best[place][0]
                wanted_logits = tuple(picks[name][place][token] for token in one)
                choices[name] = ChoiceTold(token, logit, sums[name][place], wanted_logits)
            logits, tokens, beside = zip(*gathered[EXACT].best[place])
            told.append(PlaceTold(choices, tokens, logits, beside))
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
    """The first choices and the sum of one stream, part by part.

    Attributes:
        best: of each place its first choices: logit, token, and the logit of that in the rounded stream.
    """

    def __init__(self, arrays: Any) -> None:  # noqa: ANN401  (as above)
        self.best: List[List[Tuple[float, int, float]]] = []
        self._arrays = arrays
        self._sums: List[List[float]] = []

    def add(self, logits: Array, rounded: Array, first: int) -> None:
        """The next part of the vocabulary."""
        self._sums.append(self._arrays.log_sums(logits))
        values, places = self._arrays.top(logits, CANDIDATES)
        beside = self._arrays.picked(rounded, places)
        these = [
            [(v, p + first, r) for v, p, r in zip(*row)]
            for row in zip(values.tolist(), places.tolist(), beside.tolist())
        ]
        before = self.best or [[] for _ in these]
        self.best = [
            sorted([*old, *new], key=lambda one: -one[0])[:CANDIDATES] for old, new in zip(before, these)
        ]

    def log_sums(self) -> List[float]:
        """Over the whole vocabulary."""
        by_place = [list(sums) for sums in zip(*self._sums)]
        sums: List[float] = self._arrays.log_sums(self._arrays.floats(by_place))
        return sums
