"""What is true of a Ling model's config.json, whichever engine reads it: its family, names, width of a head.

Source: the published configs and modeling files of the Ling family.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.inventory.models.config_json import positive

_RENAMED = {"n_routed_experts": "num_experts", "n_shared_experts": "num_shared_experts"}
_USUAL_WIDTHS = (64, 128, 256)
# What the published families call themselves, and what sets them apart. The second one also says
# model_type bailing_moe, so the architecture decides.
_FAMILIES: tuple[tuple[str, str], ...] = (
    ("bailingmoev2", "Ling 2.0 (BailingMoeV2), which routes by sigmoid and groups and normalises q and k"),
    ("hybrid", "Ling 2.5 and later (bailing_hybrid), which has linear and latent attention"),
    ("linear", "Ring linear (bailing_moe_linear), which has linear attention"),
)
# Keys of the second generation, and the values that mean the first. Source: the published modeling files.
_FIRST_GENERATION: Mapping[str, tuple[object, ...]] = {
    "score_function": (None, "softmax"),
    "moe_router_enable_expert_bias": (None, False),
    "use_qk_norm": (None, False),
    "partial_rotary_factor": (None, 1, 1.0),
    "n_group": (None, 0, 1),
    "topk_group": (None, 0, 1),
    "routed_scaling_factor": (None, 1, 1.0),
    "multi_gate": (None, False),
    "num_nextn_predict_layers": (None, 0),
}


def need_first_generation(config: Mapping[str, Any], engine: str) -> None:
    """Refuse a model of another family, or a quantised one.

    Args:
        engine: what would serve it, for people.

    Raises:
        ConfigurationError: it is such.
    """
    architectures = config.get("architectures") or []
    architecture = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    kind = str(config.get("model_type", ""))
    for mark, family in _FAMILIES:
        if mark in architecture.lower() or mark in kind.lower():
            raise _refusal(engine, family, architecture, kind)
    if architecture != "BailingMoeForCausalLM" or kind != "bailing_moe":
        raise _refusal(engine, "this architecture", architecture, kind)
    for key, values in _FIRST_GENERATION.items():
        if config.get(key) not in values:
            raise _refusal(engine, f"{_FAMILIES[0][1]}: {key} is {config[key]!r}", architecture, kind)
    if config.get("quantize") or config.get("quantization_config"):
        raise _refusal(engine, "quantised weights", architecture, kind, "deploy the bf16 model")


def rename_experts(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config with the names of expert counts that every loader reads, and what was renamed."""
    renamed, reasons = dict(config), list[str]()
    for old, new in _RENAMED.items():
        if old in renamed:
            renamed.setdefault(new, renamed[old])
            del renamed[old]
            reasons.append(f"{old} is called {new}, which the loader reads")
    return renamed, reasons


def need_several_experts(config: Mapping[str, Any], engine: str) -> None:
    """Refuse one expert a token, normalised: the model's makers leave its weight as it is, engines make it 1.

    Raises:
        ConfigurationError: it asks for that.
    """
    if config.get("num_experts_per_tok") == 1 and config.get("norm_topk_prob") is not False:
        raise ConfigurationError(
            f"config.json asks for one expert a token with norm_topk_prob, which {engine} cannot compute",
            evidence=f"num_experts_per_tok: 1; norm_topk_prob: {config.get('norm_topk_prob', 'left out')}",
            code="model-config-one-expert",
        )


def _refusal(
    engine: str,
    what: str,
    architecture: str,
    kind: str,
    remedy: str = "use a model of the first generation: lingctl models lists them",
) -> ConfigurationError:
    evidence = f"architectures: {architecture or 'missing'}; model_type: {kind or 'missing'}"
    return ConfigurationError(
        f"{engine} does not serve {what}",
        evidence=evidence,
        remedy=remedy,
        code="model-family-unsupported",
    )


def head_width(config: Mapping[str, Any], rows: int | None, columns: int | None) -> int:
    """The width of a head, by the weights where they are known.

    Args:
        rows: rows of layer 0's query_key_value weight, if known: (heads + 2 * kv_heads) * head_dim.
        columns: columns of layer 0's dense weight, if known: heads * head_dim.

    Raises:
        ConfigurationError: it does not follow, or config and weights contradict each other.
    """
    heads, kv_heads = positive(config, "num_attention_heads"), positive(config, "num_key_value_heads")
    stated = config.get("head_dim") or None  # 0 and null both mean unset; one release has a literal 0
    if columns is not None and rows is not None:
        width, rest = divmod(columns, heads)
        if rest or (heads + 2 * kv_heads) * width != rows or (stated and stated != width):
            raise ConfigurationError(
                "config.json and the weights contradict each other about the attention heads",
                evidence=f"{heads} heads, {kv_heads} KV heads, head_dim {stated or 'not stated'}; "
                f"query_key_value has {rows} rows, dense has {columns} columns",
                remedy="the config belongs to another release of the model: download both together",
                code="model-config-contradicts-weights",
            )
        return width
    if stated:
        return int(stated)
    derived, rest = divmod(positive(config, "hidden_size"), heads)
    if rest == 0 and derived in _USUAL_WIDTHS:
        return derived
    # Ling-plus as published: 56 heads of 128 over a hidden size of 5376, which a division gets wrong.
    if (heads, kv_heads) == (56, 8):
        return 128
    raise ConfigurationError(
        "config.json does not state head_dim, and it does not follow from the other numbers",
        evidence=f"hidden_size {config.get('hidden_size')}, {heads} heads",
        code="model-config-head-dim",
    )
