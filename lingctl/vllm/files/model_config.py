"""The model's config.json as vLLM can load it, with the reason for each change.

What would be wrong without an error is refused. Sources: bailing_moe.py of vLLM 0.32.0, run with tiny models:
a head_dim that is missing or wrong starts, is healthy and answers rubbish (it cuts query_key_value without
comparing shapes); unknown names of expert counts leave the defaults of the configuration class in force;
head_dim 0 counts as not stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import Shape
from lingctl.inventory.models.config_json import SHAPE_KEYS, positive, shape_of
from lingctl.inventory.models.ling_config import (
    head_width,
    need_first_generation,
    need_several_experts,
    rename_experts,
)
from lingctl.vllm.long_context import without_stretch
from lingctl.vllm.profile import VllmProfile


def shape_for(cluster: Cluster, model_config: Mapping[str, Any] | None) -> Shape:
    """The numbers of the model: of its config.json, or the catalogue's where that is not known."""
    return cluster.catalogue_model.shape if model_config is None else shape_of(model_config)


def vllm_model_config(
    original: Mapping[str, Any], profile: VllmProfile, *, rows: int | None = None, columns: int | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The corrected config, and what was changed and why; no reasons where vLLM loads it as it is.

    Args:
        rows: rows of layer 0's query_key_value weight, if known: (heads + 2 * kv_heads) * head_dim.
        columns: columns of layer 0's dense weight, if known: heads * head_dim.

    Raises:
        ConfigurationError: another family, numbers that contradict each other or the weights, or a model that
            this version would compute wrongly.
    """
    need_first_generation(original, "vLLM")
    _need_head(original, profile)
    config, reasons = rename_experts(original)
    need_several_experts(config, "vLLM")
    _need_numbers(config)
    reasons += without_stretch(config)
    width = head_width(config, rows, columns)
    if (config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]) != width:
        before = config.get("head_dim", "not stated")
        config["head_dim"] = width
        reasons.append(
            f"head_dim stated as {width} (was {before}): vLLM would answer rubbish without an error"
        )
    return config, reasons


def _need_numbers(config: Mapping[str, Any]) -> None:
    """Every number that shapes the model is there and is one; what vLLM ignores says what it assumes."""
    # Left out, the model's own configuration class has defaults that fit no Ling model, or vLLM its own.
    for name in (*SHAPE_KEYS.values(), "max_position_embeddings"):
        positive(config, name)
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    if heads % groups:
        raise ConfigurationError(
            f"{heads} attention heads do not divide by {groups} KV heads",
            evidence=f"num_attention_heads: {heads}; num_key_value_heads: {groups}",
            code="model-config-contradicts-weights",
        )
    if config.get("hidden_act", "silu") != "silu":
        raise ConfigurationError(
            "vLLM computes with silu whatever config.json says",
            evidence=f"hidden_act: {config['hidden_act']}",
            code="vllm-activation",
        )


def ignores_head(config: Mapping[str, Any], profile: VllmProfile) -> bool:
    """Whether this version would compute without the normalisation of the head that the model needs."""
    return config.get("norm_head") is True and not profile.norm_head


def _need_head(config: Mapping[str, Any], profile: VllmProfile) -> None:
    if not ignores_head(config, profile):
        return
    raise ConfigurationError(
        f"vLLM {profile.version} ignores norm_head and would answer wrongly: it is applied from 0.26 on",
        evidence="norm_head: true",
        code="vllm-norm-head",
    )
