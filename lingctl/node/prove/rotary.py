"""Rotary positions: how far each pair of numbers in a head is turned at each place. Pure.

Pairs are number i and number i + half of a head. YaRN as published: slow pairs are stretched by the factor,
fast ones are not, those between are mixed, and cosine and sine are scaled by 0.1 ln(factor) + 1.
"""

from __future__ import annotations

import math
from typing import List, Tuple

from lingctl.node.prove.architecture import Rope


def frequencies(rope: Rope, head_dim: int) -> Tuple[List[float], float]:
    """Radians a place for each pair of a head, and what cosines and sines are multiplied by."""
    plain = [rope.theta ** (-2 * pair / head_dim) for pair in range(head_dim // 2)]
    if rope.scaling == "linear":
        return [one / rope.factor for one in plain], 1.0
    if rope.scaling != "yarn":
        return plain, 1.0
    low, high = _mixed_pairs(rope, head_dim)
    found = []
    for pair, fast in enumerate(plain):
        slow_share = min(1.0, max(0.0, (pair - low) / (high - low)))
        found.append(fast / rope.factor * slow_share + fast * (1.0 - slow_share))
    return found, _grown(rope.factor, rope.mscale) / _grown(rope.factor, rope.mscale_all_dim)


def tables(rope: Rope, head_dim: int, places: int) -> Tuple[List[List[float]], List[List[float]]]:
    """Cosines and sines, [place][pair]."""
    turns, scale = frequencies(rope, head_dim)
    cosines = [[math.cos(place * turn) * scale for turn in turns] for place in range(places)]
    sines = [[math.sin(place * turn) * scale for turn in turns] for place in range(places)]
    return cosines, sines


def _mixed_pairs(rope: Rope, head_dim: int) -> Tuple[float, float]:
    """The first pair that is stretched a little, and the first that is stretched wholly."""

    def pair(turns: float) -> float:
        """Which one turns so often within the original window."""
        return head_dim * math.log(rope.original / (turns * 2 * math.pi)) / (2 * math.log(rope.theta))

    low, high = max(math.floor(pair(rope.beta_fast)), 0), min(math.ceil(pair(rope.beta_slow)), head_dim - 1)
    return low, high if high != low else high + 0.001


def _grown(factor: float, scale: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * scale * math.log(factor) + 1.0
