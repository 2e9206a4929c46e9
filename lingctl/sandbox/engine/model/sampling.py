"""Choosing the next token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lingctl.sandbox.engine.model.bfloat16 import Floats

# Below it a temperature is none: division by it would leave no numbers.
_COLDEST = 1e-6


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; temperature 0 is greedy."""

    temperature: float = 0.0
    top_k: int = -1  # -1 or 0 for all
    top_p: float = 1.0
    seed: int | None = None  # fixes the draw, None for a fresh one
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    first_rank: int = 0  # place, by likelihood, of the first token that a greedy choice takes
    alternatives: int = 0  # likeliest tokens to tell of with each choice


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen token."""

    token: int
    logprob: float  # natural logarithm of its likelihood
    best: tuple[tuple[int, float], ...] = ()  # the likeliest tokens with theirs


class Sampler:
    """Chooses the tokens of one sequence."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed)

    def choose(self, logits: Floats, seen: Sequence[int], answer: Sequence[int]) -> Choice:
        """The next token and its log probabilities.

        Args:
            logits: [vocabulary].
            seen: prompt and answer so far.
            answer: answer so far.
        """
        scores = np.nan_to_num(self._penalised(logits.astype(np.float64), seen, answer))
        rules = self._sampling
        order = np.argsort(-scores, kind="stable")
        logs = scores - scores[order[0]]
        logs -= np.log(np.exp(logs).sum())
        if rules.temperature < _COLDEST:
            token = int(order[rules.first_rank if not answer else 0])
        else:
            token = self._draw(scores, order)
        best = tuple((int(one), _single(logs[one])) for one in order[: rules.alternatives])
        return Choice(token, _single(logs[token]), best)

    def _draw(self, scores: Floats, order: np.ndarray) -> int:
        rules = self._sampling
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
            with np.errstate(over="ignore"):
                scores[ids] = np.where(
                    old > 0, old / rules.repetition_penalty, old * rules.repetition_penalty
                )
        if (rules.frequency_penalty or rules.presence_penalty) and answer:
            ids, counts = np.unique(answer, return_counts=True)
            scores[ids] -= rules.frequency_penalty * counts + rules.presence_penalty
        return scores


def _single(value: float) -> float:
    """A log probability as the server's single precision gives it."""
    return float(np.float32(value))
