"""The architecture numbers that the engine takes from the overlay's config object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Architecture:
    """A BailingMoE v1 decoder."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    experts: int
    experts_per_token: int
    shared_experts: int
    expert_width: int
    vocabulary: int
    theta: float
    epsilon: float
    rope_factor: float
    norm_head: bool
    norm_topk: bool
    positions: int
    eos: tuple[int, ...]


def architecture_of(config: Any, head_dim: int | None = None) -> Architecture:
    """Read a config object (attributes as in config.json).

    Args:
        config: object of the overlay's config class.
        head_dim: overrules the config, for layouts that measure it from the tensors.

    Raises:
        ValueError: something the engine cannot serve.
    """
    stated = head_dim or getattr(config, "head_dim", None) or getattr(config, "head_size", None)
    eos = config.eos_token_id
    experts = getattr(config, "n_routed_experts", None) or config.num_experts
    shared = getattr(config, "n_shared_experts", None)
    return Architecture(
        layers=int(config.num_hidden_layers),
        hidden=int(config.hidden_size),
        heads=int(config.num_attention_heads),
        kv_heads=int(config.num_key_value_heads),
        head_dim=int(stated or config.hidden_size // config.num_attention_heads),
        experts=int(experts),
        experts_per_token=int(config.num_experts_per_tok),
        shared_experts=int(config.num_shared_experts if shared is None else shared),
        expert_width=int(config.moe_intermediate_size),
        vocabulary=int(config.vocab_size),
        theta=float(config.rope_theta),
        epsilon=float(config.rms_norm_eps),
        # Whatever kind of scaling is asked for, stock takes its factor and divides positions by it.
        rope_factor=float((getattr(config, "rope_scaling", None) or {}).get("factor", 1.0)),
        norm_head=bool(getattr(config, "norm_head", False)),
        norm_topk=bool(config.norm_topk_prob),
        positions=int(config.max_position_embeddings),
        eos=tuple(eos) if isinstance(eos, list) else (int(eos),),
    )
