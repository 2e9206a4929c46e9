"""What is said of a capacity estimate: whether the model fits, what is missing, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.engine.capacity import (
    Estimate,
    Load,
    nearest_shape,
    number_of_cards,
    settings_that_fit,
    verdict_on,
)
from lingctl.findings import Finding, Subject
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import Shape
from lingctl.mindie.capacity.estimate import estimate, smallest_fit
from lingctl.mindie.settings import PRESET, serving_settings

# What the seam asks for (``lingctl.engine.capacity.Capacity``).
__all__ = ["estimate", "judge", "load_of", "smallest_fit", "usual_load"]


def load_of(cluster: Cluster) -> Load:
    """How a cluster is asked to serve."""
    values = {name: setting.value for name, setting in serving_settings(cluster).items()}
    return Load(
        int(values["max_seq_len"]),
        int(values["max_input_tokens"]),
        int(values["max_output_tokens"]),
        float(values["npu_memory_fraction"]),
    )


def usual_load(ranks: int) -> Load:
    """How a model is asked to serve where hosts.yaml does not say: by the preset, for so many cards."""
    fraction = 0.95 if ranks > 8 else 0.8
    return Load(PRESET["max_seq_len"], PRESET["max_input_tokens"], PRESET["max_output_tokens"], fraction)


def judge(shape: Shape, found: Estimate, load: Load) -> Finding:
    """The verdict on an estimate; "does not fit" says by how much and what would."""
    if load.sequence > found.window:
        return Subject("capacity").failure(
            f"sequences of {load.sequence} tokens are beyond the model's native window, {found.window}; "
            "MindIE does not extend it (no YaRN for this model)",
            evidence=found.sum_in_words,
            remedy=f"set serving.max_seq_len to at most {found.window}, or serve it with vLLM (engine: vllm)",
        )
    return verdict_on(found, number_of_cards(found.ranks), "MindIE", _remedies(shape, found, load))


def _remedies(shape: Shape, found: Estimate, load: Load) -> Iterator[str]:
    yield from settings_that_fit(estimate, shape, found, load)
    enough = smallest_fit(shape, found.window, found.hbm_gib, load)
    if enough is not None:
        yield nearest_shape(enough, 8)
    elif found.hbm_gib < 64:
        yield "use cards of 64 GiB"
    else:
        yield "no number of such cards holds it: use shorter sequences"
