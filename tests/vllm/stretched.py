"""A tiny checkpoint that answers rightly only where positions are stretched as YaRN does.

The rotation is written after the paper (Peng et al. 2023, sections 3.1 to 3.4, with its own 32 and 1 turns),
and not after any engine: with the usual positions, a wrong base or a wrong factor the answers are rubbish.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lingctl.sandbox.engine.model.model import Model
from lingctl.sandbox.engine.tiny_models import teaching
from lingctl.sandbox.engine.tiny_models.checkpoint import make_checkpoint

_FAST, _SLOW = 32, 1


def make_stretched(folder: Path, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint of tiny lite that was taught with its window stretched by the factor."""

    class Stretched(Model):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            shape = self.shape
            self._louder = np.float32(0.1 * math.log(factor) + 1) if shape.positions else np.float32(1)
            if shape.positions:
                self._frequencies = frequencies(shape.head_dim, shape.theta, shape.positions, factor)

        def _attention(self, index, layer, normed, cos, sin, *rest):
            return super()._attention(index, layer, normed, cos * self._louder, sin * self._louder, *rest)

    def unstretched(tensors, shape):
        return tensors, replace(shape, positions=0)

    monkeypatch.setattr(teaching, "Model", Stretched)
    # What it is to be told from: the same positions as ever.
    monkeypatch.setattr(teaching, "MISTAKES", (*teaching.MISTAKES, unstretched))
    make_checkpoint(folder, "lite", "bin")


def frequencies(head_dim: int, base: float, window: int, factor: int) -> np.ndarray:
    """Fast dimensions turn as before, slow ones by the factor more slowly, and those between by a ramp."""

    def dimension(turns: int) -> float:
        return head_dim * math.log(window / (turns * 2 * math.pi)) / (2 * math.log(base))

    half = head_dim // 2
    usual = base ** (-np.arange(half, dtype=np.float64) / half)
    low, high = max(0, math.floor(dimension(_FAST))), min(head_dim - 1, math.ceil(dimension(_SLOW)))
    slow = np.clip((np.arange(half) - low) / (high - low), 0, 1)
    return usual * (1 - slow) + usual / factor * slow
