"""The model's config.json as MindIE with our overlay can load it, with the reason for each change.

Sources: the published configs of the Ling family; MindIE-LLM v3.0.0 atb_llm base classes (head_dim between
1 and 1000; width of a head taken as hidden / heads; rope_scaling read as linear).
"""

from __future__ import annotations

import json
from typing import Any

from lingctl.errors import ConfigurationError

_RENAMED = {"n_routed_experts": "num_experts", "n_shared_experts": "num_shared_experts"}
_USUAL_WIDTHS = (64, 128, 256)


def loadable_model_config(
    original: dict[str, Any], *, rows: int | None = None, columns: int | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The corrected config, and what was changed and why; no reasons when it loads as it is.

    Args:
        original: the downloaded config.json.
        rows: rows of layer 0's query_key_value weight, if known: (heads + 2 * kv_heads) * head_dim.
        columns: columns of layer 0's dense weight, if known: heads * head_dim.

    Raises:
        ConfigurationError: another family, or numbers that contradict each other or the weights.
    """
    _refuse_other_families(original)
    config, reasons = dict(original), list[str]()
    for old, new in _RENAMED.items():
        if old in config:
            config.setdefault(new, config[old])
            del config[old]
            reasons.append(f"{old} is called {new}, which the loader reads")
    if config.get("rope_scaling") is not None:
        config["rope_scaling"] = None
        reasons.append("rope_scaling removed: MindIE would scale positions linearly, not as YaRN")
    width = _head_width(config, rows, columns)
    if config.get("head_dim") != width:
        before = config.get("head_dim", "not stated")
        config["head_dim"] = width
        reasons.append(f"head_dim stated as {width} (was {before})")
    return config, reasons


def model_config_text(config: dict[str, Any]) -> str:
    """The file, as it is written beside the weights."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def _refuse_other_families(config: dict[str, Any]) -> None:
    architectures = config.get("architectures") or []
    architecture = str(architectures[0]) if architectures else ""
    kind = str(config.get("model_type", ""))
    if architecture == "BailingMoeForCausalLM" and kind == "bailing_moe":
        if config.get("quantize") or config.get("quantization_config"):
            raise _refusal("quantised weights", "deploy the bf16 model")
        return
    if "V2" in architecture or config.get("moe_router_enable_expert_bias") is not None:
        raise _refusal(f"{architecture or kind}: the Ling 2.x family routes and normalises differently")
    raise _refusal(f"{architecture or 'no architecture'} / model_type {kind or 'missing'}")


def _refusal(
    what: str, remedy: str = "use a BailingMoE v1 model: lingctl models lists them"
) -> ConfigurationError:
    return ConfigurationError(
        f"the overlay does not serve {what}", remedy=remedy, code="model-family-unsupported"
    )


def _head_width(config: dict[str, Any], rows: int | None, columns: int | None) -> int:
    heads, kv_heads = _positive(config, "num_attention_heads"), _positive(config, "num_key_value_heads")
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
    derived, rest = divmod(_positive(config, "hidden_size"), heads)
    if rest == 0 and derived in _USUAL_WIDTHS:
        return derived
    # Ling-plus as published: 56 heads of 128 over a hidden size of 5376, which a division gets wrong.
    if (heads, kv_heads) == (56, 8):
        return 128
    raise ConfigurationError(
        "config.json does not state head_dim, and it does not follow from the other numbers",
        evidence=f"hidden_size {config.get('hidden_size')}, {heads} heads",
        remedy='add "head_dim" to the model\'s config.json',
        code="model-config-head-dim",
    )


def _positive(config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if isinstance(value, int) and value > 0:
        return value
    raise ConfigurationError(
        f"config.json lacks a usable {key}", evidence=f"{key}: {value!r}", code="model-config-incomplete"
    )
