"""A model's config.json: the numbers in it, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.inventory.models.catalogue import Shape

# By the field of ``Shape``: what config.json calls it.
SHAPE_KEYS = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "experts": "num_experts",
    "experts_per_token": "num_experts_per_tok",
    "shared_experts": "num_shared_experts",
    "moe_intermediate": "moe_intermediate_size",
    "vocabulary": "vocab_size",
}


def model_config_text(config: Mapping[str, Any]) -> str:
    """The file, as it is written beside the weights."""
    return json.dumps(dict(config), indent=2, ensure_ascii=False) + "\n"


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The architecture numbers of a config.json that an engine can load.

    Raises:
        ConfigurationError: a number is missing.
    """
    numbers = {name: positive(config, key) for name, key in SHAPE_KEYS.items()}
    # Left out, null or 0: the models' own configuration class then divides.
    unsaid = not config.get("head_dim")
    width = numbers["hidden"] // numbers["heads"] if unsaid else positive(config, "head_dim")
    return Shape(head_dim=width, **numbers)


def positive(config: Mapping[str, Any], key: str) -> int:
    """A number that counts something. Raises ConfigurationError: it is missing, or none."""
    value = config.get(key)
    if type(value) is int and value > 0:
        return value
    raise ConfigurationError(
        f"config.json lacks a usable {key}", evidence=f"{key}: {value!r}", code="model-config-incomplete"
    )
