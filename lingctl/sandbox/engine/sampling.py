"""Choosing the next token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lingctl.sandbox.engine.bfloat16 import Floats


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; temperature 0 is greedy.

    Attributes:
        top_k: -1 or 0 for all.
        seed: fixes the draw, None for a fresh one.
    """

    temperature: float = 0.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int | None = None
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0


class Sampler:
    """Chooses the tokens of one sequence."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed)

    def choose(self, logits: Floats, seen: Sequence[int], answer: Sequence[int]) -> int:
        """The next token.

        Args:
            logits: [vocabulary].
            seen: prompt and answer so far.
            answer: answer so far.
        """
        scores = self._penalised(logits.astype(np.float64), seen, answer)
        rules = self._sampling
        if rules.temperature <= 0:
            return int(scores.argmax())
        order = np.argsort(-scores, kind="stable")
        if rules.top_k > 0:
            order = order[: rules.top_k]
        exponents = np.exp((scores[order] - scores[order[0]]) / rules.temperature)
        chances = exponents / exponents.sum()
        kept = int(np.searchsorted(np.cumsum(chances), rules.top_p)) + 1
        chances = chances[:kept] / chances[:kept].sum()
        return int(self._random.choice(order[: len(chances)], p=chances))

    def _penalised(self, scores: Floats, seen: Sequence[int], answer: Sequence[int]) -> Floats:
        rules = self._sampling
        if rules.repetition_penalty != 1.0 and seen:
            ids = np.unique(seen)
            old = scores[ids]
            scores[ids] = np.where(old > 0, old / rules.repetition_penalty, old * rules.repetition_penalty)
        if (rules.frequency_penalty or rules.presence_penalty) and answer:
            ids, counts = np.unique(answer, return_counts=True)
            scores[ids] -= rules.frequency_penalty * counts + rules.presence_penalty
        return scores
