"""Configuration of stock DeepSeek-MoE."""

from __future__ import annotations

from typing import Any

from ..base.config import BaseConfig


class DeepseekConfig(BaseConfig):
    """Defaults of deepseek-moe-16b; half precision is forced, as in the stock class."""

    model_type: str = "deepseek"
    # Stock says 100000, which no tiny vocabulary has.
    bos_token_id: int | None = None
    eos_token_id: Any = 100001
    first_k_dense_replace: int = 1
    hidden_act: str = "silu"
    hidden_size: int = 2048
    initializer_range: float = 0.02
    intermediate_size: int = 10944
    max_position_embeddings: int = 4096
    moe_intermediate_size: int = 1408
    moe_layer_freq: int = 1
    n_routed_experts: int = 64
    n_shared_experts: int = 2
    norm_topk_prob: bool = False
    num_attention_heads: int = 16
    num_experts_per_tok: int = 6
    num_hidden_layers: int = 28
    num_key_value_heads: int = 16
    rms_norm_eps: float = 1e-06
    rope_theta: float = 10000.0
    scoring_func: str = "softmax"
    vocab_size: int = 102400

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.torch_dtype = "float16"
