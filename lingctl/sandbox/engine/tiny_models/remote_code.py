"""What lies beside a tiny checkpoint's weights as in a published one: code for transformers, a README.

vLLM executes the configuration (with ``--trust-remote-code``) and nothing else. Names, defaults and what
becomes of ``head_dim`` are those of the published class; the code is our own.
"""

from __future__ import annotations

_CONFIGURATION = '''\
"""Configuration of the tiny BailingMoE checkpoint: what config.json says, and what holds without it."""

from transformers.configuration_utils import PretrainedConfig

_DEFAULTS = {
    "vocab_size": 30592,
    "hidden_size": 1024,
    "intermediate_size": None,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 0,
    "head_dim": None,
    "hidden_act": "silu",
    "use_bias": True,
    "use_qkv_bias": False,
    "norm_head": False,
    "rms_norm_eps": 1e-05,
    "embedding_dropout": 0.1,
    "attention_dropout": 0.1,
    "output_dropout": 0.1,
    "initializer_range": 0.02,
    "max_position_embeddings": 16384,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "use_cache": True,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
    "num_experts": 16,
    "num_shared_experts": 0,
    "num_experts_per_tok": 2,
    "norm_topk_prob": True,
    "moe_intermediate_size": None,
    "first_k_dense_replace": 0,
    "output_router_logits": False,
}


class BailingMoeConfig(PretrainedConfig):
    """A key that config.json does not have gets its default; of the head only the size is worked out."""

    model_type = "bailing_moe"

    def __init__(self, pad_token_id=126081, tie_word_embeddings=False, **values):
        for key, default in _DEFAULTS.items():
            setattr(self, key, values.pop(key, default))
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        super().__init__(pad_token_id=pad_token_id, tie_word_embeddings=tie_word_embeddings, **values)
'''

_MODELLING = '''\
"""Stand-in for the published modelling code; nothing runs it."""


class BailingMoeModel:
    """Marks the decoder."""


class BailingMoeForCausalLM(BailingMoeModel):
    """Marks the language model."""
'''

_README = """\
# Tiny Ling

A tiny stand-in with the layout of a published Ling checkpoint, made for an emulated cluster.
It knows a few sentences and nothing else.
"""

FILES = {
    "configuration_bailing_moe.py": _CONFIGURATION,
    "modeling_bailing_moe.py": _MODELLING,
    "README.md": _README,
}
