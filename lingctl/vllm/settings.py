"""The serving values that count for vLLM, each with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.engine.files import Setting
from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster

# As for MindIE: the Ling repository's own limits of a batch and of a prefill step.
_BATCH, _PREFILL = 200, 8192
# The Ling README's own; vLLM's default was 0.9, and is 0.92 in 0.32.
FRACTION = 0.9


def native_window(cluster: Cluster, model_config: Mapping[str, Any] | None = None) -> int:
    """Tokens that the model was made for: by its config.json, or the catalogue where that is not known."""
    stated = (model_config or {}).get("max_position_embeddings")
    if type(stated) is int and stated > 0:
        return stated
    return cluster.catalogue_model.context


def vllm_settings(cluster: Cluster, model_config: Mapping[str, Any] | None = None) -> dict[str, Setting]:
    """Effective values by their name in hosts.yaml."""
    given = cluster.serving
    window = native_window(cluster, model_config)
    settings = {
        "max_seq_len": _given(given.max_seq_len, window, "follows from the model's window"),
        "max_prefill_tokens": _given(given.max_prefill_tokens, _PREFILL, "preset"),
        "max_batch_size": _given(given.max_batch_size, _BATCH, "preset"),
        "npu_memory_fraction": _given(given.npu_memory_fraction, FRACTION, "preset"),
    }
    # Where hosts.yaml does not say, a request may take what is left of its sequence.
    most = given.max_output_tokens
    return settings if most is None else {**settings, "max_output_tokens": Setting(most, "hosts.yaml")}


def need_settings(cluster: Cluster, model_config: Mapping[str, Any] | None = None) -> dict[str, Setting]:
    """The values, if vLLM starts with them.

    Raises:
        ConfigurationError: a step holds fewer tokens than requests.
    """
    settings = vllm_settings(cluster, model_config)
    step, batch = (int(settings[name].value) for name in ("max_prefill_tokens", "max_batch_size"))
    if step < batch:
        raise ConfigurationError(
            f"a step of {step} tokens cannot hold one of each of {batch} requests: vLLM does not start so",
            where="serving.max_prefill_tokens and serving.max_batch_size in hosts.yaml",
            remedy=f"max_prefill_tokens at least {batch}",
            code="vllm-step",
        )
    return settings


def _given(value: float | None, usual: float, source: str) -> Setting:
    return Setting(usual, source) if value is None else Setting(value, "hosts.yaml")
