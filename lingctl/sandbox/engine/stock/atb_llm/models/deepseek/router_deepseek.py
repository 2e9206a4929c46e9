"""Router of stock DeepSeek-MoE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..base.router import BaseRouter
from .config_deepseek import DeepseekConfig
from .input_builder_deepseek import DeepseekInputBuilder

_BIG = 2147483647


@dataclass
class DeepseekRouter(BaseRouter):
    """Adds the checks of mixture-of-experts fields."""

    def get_config(self) -> Any:
        """A checked DeepseekConfig."""
        config = DeepseekConfig.from_dict(self.config_dict)
        self.check_config_deepseek(config)
        return config

    def check_config_deepseek(self, config: Any) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field.
        """
        self.check_config(config)
        ranges = {
            "moe_intermediate_size": (0, _BIG),
            "num_experts_per_tok": (1, 128),
            "n_shared_experts": (0, 128),
            "first_k_dense_replace": (0, _BIG),
            "num_key_value_heads": (1, _BIG),
            "rope_theta": (0, _BIG),
        }
        for name, (low, high) in ranges.items():
            value = getattr(config, name, None)
            if value is not None and not low <= value <= high:
                raise ValueError(f"self._config.{name} must be between {low} and {high}")
        if config.num_experts_per_tok > config.n_routed_experts:
            bound = "self._config.n_routed_experts"
            raise ValueError(f"self._config.num_experts_per_tok must be smaller than or equal to {bound}")
        if config.hidden_act != "silu":
            raise ValueError("self._config.hidden_act must be silu")

    def get_input_builder(self) -> Any:
        """DeepSeek's prompt builder."""
        return DeepseekInputBuilder(self.tokenizer)
