"""Layers: their names only, the emulated engine computes elsewhere."""

from __future__ import annotations

from .linear import TensorParallelColumnLinear, TensorParallelRowLinear

__all__ = [
    "PositionRotaryEmbedding",
    "RMSNorm",
    "TensorEmbedding",
    "TensorParallelColumnLinear",
    "TensorParallelRowLinear",
]


class PositionRotaryEmbedding:
    """Rope tables."""


class RMSNorm:
    """A norm's gain."""


class TensorEmbedding:
    """The embedding."""
