"""DeepSeek-MoE's config: its own defaults, and float16 whatever config.json says."""

import torch

from atb_llm.models.base.config import BaseConfig


class DeepseekConfig(BaseConfig):
    """Config of the first DeepSeek-MoE."""

    model_type = "deepseek"
    bos_token_id = 100000
    eos_token_id = 100001
    first_k_dense_replace = 1
    hidden_act = "silu"
    moe_layer_freq = 1
    n_routed_experts = 64
    n_shared_experts = 2
    norm_topk_prob = False
    num_experts_per_tok = 6
    rms_norm_eps = 1e-06
    rope_theta = 10000.0
    tp = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.torch_dtype = torch.float16
