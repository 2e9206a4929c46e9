"""The serving values that count, each with where it came from."""

from __future__ import annotations

from lingctl.engine.files import Setting
from lingctl.inventory.cluster import Cluster

# The Ling repository's own files for MindIE 1.0.0, the same for lite and plus.
PRESET: dict[str, int] = {
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
    """Effective serving values by their name in hosts.yaml.

    A preset gives way to what the file does say: a longer input makes the sequence and the prefill step
    longer, a shorter sequence makes input and output shorter.
    """
    given = {name: getattr(cluster.serving, name) for name in PRESET}
    settings = {name: Setting(value, "hosts.yaml") for name, value in given.items() if value is not None}
    settings.setdefault("max_batch_size", Setting(PRESET["max_batch_size"], "preset"))
    settings.setdefault("max_seq_len", _sequence(cluster, given))
    longest = int(settings["max_seq_len"].value)
    for name in ("max_input_tokens", "max_output_tokens"):
        settings.setdefault(name, _at_most(PRESET[name], longest, "max_seq_len"))
    settings.setdefault("max_prefill_tokens", _prefill(int(settings["max_input_tokens"].value), longest))
    # MindIE refuses a prefill batch above the decode batch.
    batch = int(settings["max_batch_size"].value)
    settings["max_prefill_batch_size"] = _at_most(50, batch, "max_batch_size")
    settings["npu_memory_fraction"] = _fraction(cluster)
    order = [*PRESET, "max_prefill_batch_size", "npu_memory_fraction"]
    return {name: settings[name] for name in order}


def _sequence(cluster: Cluster, given: dict[str, int | None]) -> Setting:
    """The preset, raised for longer inputs or outputs as far as the model's native window goes."""
    preset, window = PRESET["max_seq_len"], cluster.catalogue_model.context
    asked = sum(given[name] or PRESET[name] for name in ("max_input_tokens", "max_output_tokens"))
    if asked <= preset:
        return Setting(min(preset, window), "preset")
    return Setting(min(asked, window), "follows from max_input_tokens and max_output_tokens")


def _prefill(longest_input: int, longest: int) -> Setting:
    if longest_input > PRESET["max_prefill_tokens"]:
        return Setting(longest_input, "follows from max_input_tokens")
    return _at_most(PRESET["max_prefill_tokens"], max(longest, longest_input), "max_seq_len")


def _at_most(preset: int, limit: int, name: str) -> Setting:
    return Setting(preset, "preset") if preset <= limit else Setting(limit, f"follows from {name}")


def _fraction(cluster: Cluster) -> Setting:
    given = cluster.serving.npu_memory_fraction
    if given is not None:
        return Setting(given, "hosts.yaml")
    return Setting(_FRACTION_SEVERAL if cluster.multi_node else _FRACTION_ONE_NODE, "preset")
