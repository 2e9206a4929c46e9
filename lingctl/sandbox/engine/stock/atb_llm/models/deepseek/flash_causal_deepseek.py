"""Causal model of stock DeepSeek-MoE: names only. The decoder class is a module global, as in stock."""

from __future__ import annotations

from .config_deepseek import DeepseekConfig
from .modeling_deepseek import FlashDeepseekModel

__all__ = ["DeepseekConfig", "FlashDeepseekForCausalLM", "FlashDeepseekModel"]


class FlashDeepseekForCausalLM:
    """Causal language model."""
