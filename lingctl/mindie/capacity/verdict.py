"""What is said of a capacity estimate: whether the model fits, what is missing, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.engine.capacity import BLOCK_TOKENS, Estimate, Load
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
    of = Subject("capacity")
    if load.sequence > found.window:
        return of.failure(
            f"sequences of {load.sequence} tokens are beyond the model's native window, {found.window}; "
            "MindIE does not extend it (no YaRN for this model)",
            evidence=found.sum_in_words,
            remedy=f"set serving.max_seq_len to at most {found.window}, or serve it with vLLM (engine: vllm)",
        )
    if found.fits:
        return of.passes(
            f"it fits {_cards(found.ranks)}: {found.token_budget} tokens of KV cache, "
            f"{found.requests} requests of {found.needed_tokens} tokens at the same time",
            evidence=found.sum_in_words,
        )
    if found.uneven:
        what = found.uneven
    elif found.cache_gib <= 0:
        what = f"it does not fit {_cards(found.ranks)}: {-found.cache_gib:.1f} GiB short on each"
    else:
        what = (
            f"one request of {found.needed_tokens} tokens needs {found.needed_blocks} blocks, "
            f"{found.blocks} fit: MindIE would refuse to start"
        )
    return of.failure(what, evidence=found.sum_in_words, remedy="; ".join(_remedies(shape, found, load)))


def _cards(number: int) -> str:
    return "1 card" if number == 1 else f"{number} cards"


def _remedies(shape: Shape, found: Estimate, load: Load) -> Iterator[str]:
    if not found.uneven and found.token_budget >= BLOCK_TOKENS:
        yield f"shorten sequences: serving.max_seq_len at most {found.longest_context}"
    if load.fraction < 0.95 and not found.uneven:
        more = Load(load.sequence, load.longest_input, load.longest_output, 0.95)
        if estimate(shape, found.window, found.ranks, found.hbm_gib, more).fits:
            yield "set serving.npu_memory_fraction to 0.95"
    enough = smallest_fit(shape, found.window, found.hbm_gib, load)
    if enough is not None:
        nodes = -(-enough.ranks // 8)
        where = f" ({nodes} nodes of 8)" if nodes > 1 else ""
        yield f"the nearest shape that fits is {_cards(enough.ranks)} of {found.hbm_gib:g} GiB{where}"
    elif found.hbm_gib < 64:
        yield "use cards of 64 GiB"
    else:
        yield "no number of such cards holds it: use shorter sequences"
