"""Decoder of stock DeepSeek-MoE: its names only, the emulated engine computes elsewhere."""

from __future__ import annotations


class DeepseekMLP:
    """Dense feed-forward block."""


class DeepseekMoE:
    """Mixture-of-experts block."""


class FlashDeepseekAttention:
    """Attention block."""


class FlashDeepseekModel:
    """Decoder stack."""
