"""The serving values that count, each with where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.inventory.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and its source: ``preset``, ``hosts.yaml`` or ``follows from ...``."""

    value: int | float
    source: str


# The Ling repository's own files for MindIE 1.0.0, the same for lite and plus.
PRESET: dict[str, int | float] = {
    "max_seq_len": 14000,
    "max_input_tokens": 8192,
    "max_output_tokens": 4096,
    "max_prefill_tokens": 8192,
    "max_batch_size": 200,
}
# Ling's README for several nodes; MindIE's own default for one.
_FRACTION_ONE_NODE = 0.8
_FRACTION_SEVERAL = 0.95


def serving_settings(cluster: Cluster) -> dict[str, Setting]:
    """Effective serving values by their name in hosts.yaml."""
    presets = dict(PRESET)
    presets["npu_memory_fraction"] = _FRACTION_SEVERAL if cluster.multi_node else _FRACTION_ONE_NODE
    settings: dict[str, Setting] = {}
    for name, preset in presets.items():
        given = getattr(cluster.serving, name)
        settings[name] = Setting(preset, "preset") if given is None else Setting(given, "hosts.yaml")
    batch = int(settings["max_batch_size"].value)
    # MindIE refuses a prefill batch above the decode batch.
    settings["max_prefill_batch_size"] = Setting(min(50, batch), "follows from max_batch_size")
    return settings
