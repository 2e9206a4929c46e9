"""Causal model of stock DeepSeek-MoE: names only. Its decoder class is a module global, as in the stock file."""

from __future__ import annotations

from .config_deepseek import DeepseekConfig
from .modeling_deepseek import FlashDeepseekModel

__all__ = ["DeepseekConfig", "FlashDeepseekForCausalLM", "FlashDeepseekModel"]


class FlashDeepseekForCausalLM:
    """Causal language model."""
