"""What a config.json says of a BailingMoE v1 model, as its published code reads it. Pure.

Source: configuration_bailing_moe.py and modeling_bailing_moe.py of inclusionAI/Ling (2025-05), whose defaults
these are where a key is missing. One departure: the width of a head is taken from the weights.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from lingctl.node.trouble import Trouble
from lingctl.node.weights.computed import as_json

_FAMILY = "BailingMoeForCausalLM"
# Keys that change the arithmetic in ways that the published code of this family does not have.
_ONLY: Dict[str, Tuple[object, ...]] = {
    "hidden_act": ("silu",),
    "norm_softmax": (False,),
    "score_function": ("softmax",),
    "n_group": (0, 1),
    "topk_group": (0, 1),
    "use_qk_norm": (False,),
    "partial_rotary_factor": (1, 1.0),
    "moe_router_enable_expert_bias": (False,),
    "use_sliding_window": (False,),
    "quantize": ("", "float"),
    "quantization_config": (),
}
_SCALINGS = ("linear", "dynamic", "yarn")


class Rope(NamedTuple):
    """Rotary positions."""

    theta: float
    positions: int  # longest sequence that config.json has
    scaling: str = ""  # empty for none
    factor: float = 1.0
    original: int = 4096  # positions before YaRN stretched them
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float = 1.0
    mscale_all_dim: float = 0.0


class BailingShape(NamedTuple):
    """The numbers of a model."""

    layers: int
    dense_layers: int  # the first so many have one wide MLP and no experts
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    experts: int
    experts_per_token: int
    shared_experts: Optional[int]
    expert_width: int
    dense_width: int
    vocabulary: int
    epsilon: float
    rope: Rope
    norm_head: bool
    norm_topk: bool
    qkv_bias: bool
    dense_bias: bool
    tied: bool

    @property
    def packed_rows(self) -> int:
        """Rows of the fused query, key and value weight."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim


def shape_of(config: Mapping[str, object], packed_rows: Optional[int], where: str) -> BailingShape:
    """The model of a config.json.

    Args:
        packed_rows: rows of the first layer's query_key_value weight; None where there is no such tensor.
        where: which file it is.

    Raises:
        Trouble: another family, or something that is not computed here.
    """
    try:
        return _shape(config, packed_rows)
    except ValueError as error:
        raise Trouble(
            f"the reference does not compute this model: {error}",
            where=where,
            remedy=f"the proof is for Ling and Ring of version 1 ({_FAMILY}), in bf16, fp16 or fp32",
            code="prove-model",
            exit_status=2,
        ) from None


def expected_tensors(shape: BailingShape) -> Dict[str, Tuple[int, ...]]:
    """Every tensor that the model has, with its shape."""
    hidden, width = shape.hidden, shape.heads * shape.head_dim
    found: Dict[str, Tuple[int, ...]] = {
        "model.word_embeddings.weight": (shape.vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    if not shape.tied:
        found["lm_head.weight"] = (shape.vocabulary, hidden)
    for layer in range(shape.layers):
        name = f"model.layers.{layer}."
        found[f"{name}input_layernorm.weight"] = (hidden,)
        found[f"{name}post_attention_layernorm.weight"] = (hidden,)
        found[f"{name}attention.query_key_value.weight"] = (shape.packed_rows, hidden)
        found[f"{name}attention.dense.weight"] = (hidden, width)
        if shape.qkv_bias:
            found[f"{name}attention.query_key_value.bias"] = (shape.packed_rows,)
        if shape.dense_bias:
            found[f"{name}attention.dense.bias"] = (hidden,)
        for mlp, inner in mlps_of(shape, layer):
            found[f"{mlp}gate_proj.weight"] = found[f"{mlp}up_proj.weight"] = (inner, hidden)
            found[f"{mlp}down_proj.weight"] = (hidden, inner)
        if layer >= shape.dense_layers:
            found[f"{name}mlp.gate.weight"] = (shape.experts, hidden)
    return found


def mlps_of(shape: BailingShape, layer: int) -> List[Tuple[str, int]]:
    """The prefix and the inner width of each MLP of a layer."""
    name = f"model.layers.{layer}.mlp."
    if layer < shape.dense_layers:
        return [(name, shape.dense_width)]
    found = [(f"{name}experts.{expert}.", shape.expert_width) for expert in range(shape.experts)]
    if shape.shared_experts:
        found.append((f"{name}shared_experts.", shape.expert_width * shape.shared_experts))
    return found


def _shape(config: Mapping[str, object], packed_rows: Optional[int]) -> BailingShape:
    architectures = config.get("architectures")
    family = architectures[0] if isinstance(architectures, list) and architectures else None
    if family != _FAMILY:
        raise ValueError(f"architectures is {as_json(architectures)}, not [{_FAMILY}]")
    for key, usual in _ONLY.items():
        value = config.get(key)
        if value is not None and value not in usual:
            raise ValueError(f"{key} is {as_json(value)}")
    heads, kv_heads = _count(config, "num_attention_heads"), _count(config, "num_key_value_heads")
    if not heads or not kv_heads or heads % kv_heads:
        raise ValueError(f"{heads} query heads do not divide by {kv_heads} key and value heads")
    hidden, experts = _count(config, "hidden_size"), _count(config, "num_experts", 16, "n_routed_experts")
    dense_layers, each = _count(config, "first_k_dense_replace", 0), _count(config, "num_experts_per_tok", 2)
    shared = None
    if config.get("num_shared_experts", 0) is not None:
        shared = _count(config, "num_shared_experts", 0, "n_shared_experts")
    tied, norm_head = _flag(config, "tie_word_embeddings", False), _flag(config, "norm_head", False)
    if tied and norm_head:
        raise ValueError(
            "tie_word_embeddings with norm_head: the published code has no settled meaning for both"
        )
    if not 1 <= each <= experts:
        raise ValueError(f"{each} experts a token, of {experts}")
    return BailingShape(
        layers=_count(config, "num_hidden_layers"),
        dense_layers=dense_layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=_head_dim(config, packed_rows, heads, kv_heads, hidden),
        experts=experts,
        experts_per_token=each,
        shared_experts=shared,
        expert_width=_count(config, "moe_intermediate_size"),
        dense_width=_count(config, "intermediate_size", 0 if not dense_layers else None),
        vocabulary=_count(config, "vocab_size"),
        epsilon=_number(config, "rms_norm_eps", 1e-5),
        rope=_rope(config),
        norm_head=norm_head,
        norm_topk=_flag(config, "norm_topk_prob", True),
        qkv_bias=_flag(config, "use_qkv_bias", False),
        dense_bias=_flag(config, "use_bias", True),
        tied=tied,
    )


def end_tokens(config: Mapping[str, object]) -> Tuple[int, ...]:
    """The ids of ``eos_token_id``; none where it says none."""
    value = config.get("eos_token_id")
    listed: Sequence[object] = value if isinstance(value, list) else [value]
    return tuple(one for one in listed if type(one) is int)


def _head_dim(
    config: Mapping[str, object], packed_rows: Optional[int], heads: int, kv_heads: int, hidden: int
) -> int:
    """By the weights, which cannot be wrong about it: 0 and null in config.json mean that it is not stated,
    and hidden / heads is not the width in Ling-plus (5376 / 56 = 96, where its weights have 128)."""
    stated = config.get("head_dim") or 0
    if type(stated) is not int or stated < 0:
        raise ValueError(f"head_dim is {as_json(stated)}")
    if packed_rows is None:
        return stated or hidden // heads
    width, rest = divmod(packed_rows, heads + 2 * kv_heads)
    if rest or not width or width % 2:
        raise ValueError(f"{packed_rows} rows of query_key_value are no {heads} + 2 x {kv_heads} heads")
    if stated and stated != width:
        raise ValueError(f"head_dim is {stated}, and query_key_value has heads of {width}")
    return width


def _rope(config: Mapping[str, object]) -> Rope:
    plain = Rope(_number(config, "rope_theta", 10000.0), _count(config, "max_position_embeddings", 16384))
    # The second is what newer engines call it.
    given = config.get("rope_parameters", config.get("rope_scaling"))
    if given is None:
        return plain
    if not isinstance(given, dict):
        raise ValueError(f"rope_scaling is {as_json(given)}")
    kind = given.get("type") or given.get("rope_type")
    if kind in (None, "default"):
        return plain
    if kind not in _SCALINGS:
        raise ValueError(f"rope_scaling is of type {as_json(kind)}")
    return plain._replace(
        theta=_number(given, "rope_theta", plain.theta),
        scaling=str(kind),
        factor=_number(given, "factor", None),
        original=_count(given, "original_max_position_embeddings", 4096),
        beta_fast=_number(given, "beta_fast", 32.0),
        beta_slow=_number(given, "beta_slow", 1.0),
        mscale=_number(given, "mscale", 1.0),
        mscale_all_dim=_number(given, "mscale_all_dim", 0.0),
    )


def _count(config: Mapping[str, object], key: str, default: Optional[int] = None, other: str = "") -> int:
    value = config.get(key)
    value = config.get(other) if value is None else value
    value = default if value is None else value
    if type(value) is not int or not 0 <= value < 2**40:
        raise ValueError(f"{key} is {as_json(value)}, not a number of things")
    return value


def _number(config: Mapping[str, object], key: str, default: Optional[float]) -> float:
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{key} is {as_json(value)}, no number")
    return float(value)


def _flag(config: Mapping[str, object], key: str, default: bool) -> bool:
    value = config.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {as_json(value)}, neither true nor false")
    return value
