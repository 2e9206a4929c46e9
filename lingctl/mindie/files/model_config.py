"""The model's config.json as MindIE with our overlay can load it, with the reason for each change.

Sources: the published configs of the Ling family; MindIE-LLM v3.0.0 atb_llm base classes (head_dim between
1 and 1000; width of a head taken as hidden / heads; rope_scaling read as linear).
"""

from __future__ import annotations

from typing import Any

from lingctl.inventory.models.ling_config import (
    head_width,
    need_first_generation,
    need_several_experts,
    rename_experts,
)
from lingctl.mindie.files.generation_config import need_numbers


def loadable_model_config(
    original: dict[str, Any], *, rows: int | None = None, columns: int | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The corrected config, and what was changed and why; no reasons when it loads as it is.

    Args:
        rows: rows of layer 0's query_key_value weight, if known: (heads + 2 * kv_heads) * head_dim.
        columns: columns of layer 0's dense weight, if known: heads * head_dim.

    Raises:
        ConfigurationError: another family, numbers as text, or numbers that contradict each other or the
            weights.
    """
    need_first_generation(original, "the overlay")
    need_numbers(original, "config.json")
    config, reasons = rename_experts(original)
    if config.get("rope_scaling") is not None:
        config["rope_scaling"] = None
        reasons.append("rope_scaling removed: MindIE would scale positions linearly, not as YaRN")
    need_several_experts(config, "the overlay")
    width = head_width(config, rows, columns)
    if config.get("head_dim") != width:
        before = config.get("head_dim", "not stated")
        config["head_dim"] = width
        reasons.append(f"head_dim stated as {width} (was {before})")
    return config, reasons
