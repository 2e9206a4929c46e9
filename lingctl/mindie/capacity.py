"""Whether a model fits the cards: weights, KV cache and overhead per card against its memory.

An estimate that is made before anything starts. Sources: MindIE-LLM v3.0.0 mindie_llm/text_generator/
generator.py (what is left of memory x fraction after warm-up becomes KV cache), the documents' block formula,
users' reports of what a card shows; sizes follow from the published architectures and from how the overlay
deals tensors to ranks. docs/capacity.md has the formulas worked through.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from lingctl.engine.capacity import BLOCK_TOKENS, GIB, OVERHEAD_GIB, Estimate, Load
from lingctl.findings import Finding, Verdict
from lingctl.inventory.catalogue import Shape
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.settings import PRESET, serving_settings

_BF16 = 2
# What torch sees of a card: 60.96 of 64 and 29.50 of 32 GiB in users' reports; the firmware keeps the rest.
_SEEN: dict[float, float] = {64: 60.96, 32: 29.50}
_SEEN_SHARE = 0.95
# The models' dimensions divide by powers of two alone; more cards than this nobody is known to have used.
_WORLDS = (1, 2, 4, 8, 16, 32, 64)


def estimate(
    shape: Shape, window: int, ranks: int, hbm_gib: float, load: Load, overhead_gib: float = OVERHEAD_GIB
) -> Estimate:
    """What each card has to hold, and what is left for the KV cache.

    Args:
        shape: the model's architecture.
        window: tokens of its native window.
        ranks: cards in all; every one holds a slice.
        hbm_gib: nominal memory of a card, e.g. 64.
        load: how it is to serve.
        overhead_gib: to keep for workspace and runtime.
    """
    usable = seen_gib(hbm_gib) * load.fraction
    weights = card_parameters(shape, ranks) * _BF16 / GIB
    _, kv_slots = head_slots(shape, ranks)
    return Estimate(
        ranks=ranks,
        hbm_gib=hbm_gib,
        usable_gib=usable,
        weights_gib=weights,
        overhead_gib=overhead_gib,
        cache_gib=usable - weights - overhead_gib,
        token_bytes=2 * shape.layers * kv_slots * shape.head_dim * _BF16,
        needed_tokens=load.tokens,
        window=window,
        uneven=uneven(shape, ranks),
    )


def seen_gib(hbm_gib: float) -> float:
    """What the runtime sees of a card's nominal memory."""
    return (
        _SEEN.get(int(hbm_gib), hbm_gib * _SEEN_SHARE) if hbm_gib == int(hbm_gib) else hbm_gib * _SEEN_SHARE
    )


def uneven(shape: Shape, ranks: int) -> str:
    """Why a model cannot be cut into so many ranks; empty if it can. The overlay refuses uneven cuts."""
    whole = gcd(shape.vocabulary, shape.moe_intermediate)
    if whole % ranks == 0:
        return ""
    possible = [number for number in _WORLDS if whole % number == 0]
    return (
        f"vocabulary {shape.vocabulary} and expert width {shape.moe_intermediate} do not divide by {ranks} "
        f"ranks; possible are {', '.join(map(str, possible))}"
    )


def head_slots(shape: Shape, ranks: int) -> tuple[int, int]:
    """Query and KV head slots of each rank, as the overlay deals whole heads out (its ``layout.py``)."""
    groups, size = shape.kv_heads, shape.heads // shape.kv_heads
    while groups % ranks and ranks % groups:
        groups += 1
    if groups >= ranks:
        return size * (groups // ranks), groups // ranks
    return -(-size // (ranks // groups)), 1


def card_parameters(shape: Shape, ranks: int) -> int:
    """Parameters on each card: embedding, gate and norms whole, everything else in slices."""
    query, kv = head_slots(shape, ranks)
    attention = (2 * query + 2 * kv) * shape.head_dim * shape.hidden
    expert = 3 * shape.hidden * -(-shape.moe_intermediate // ranks)
    shared = 3 * shape.hidden * -(-shape.shared_experts * shape.moe_intermediate // ranks)
    layer = attention + shape.experts * expert + shared + shape.experts * shape.hidden + 2 * shape.hidden
    embedding = shape.vocabulary * shape.hidden
    head = shape.hidden * -(-shape.vocabulary // ranks)
    return shape.layers * layer + embedding + head + shape.hidden


def all_parameters(shape: Shape) -> int:
    """Parameters of the whole model."""
    return card_parameters(shape, 1)


def smallest_fit(shape: Shape, window: int, hbm_gib: float, load: Load) -> Estimate | None:
    """The fewest cards that hold it; None if not even the largest group does."""
    for ranks in _WORLDS:
        found = estimate(shape, window, ranks, hbm_gib, load)
        if found.fits:
            return found
    return None


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
        return Finding(
            "capacity",
            Verdict.FAILURE,
            f"sequences of {load.sequence} tokens are beyond the model's native window, {found.window}; "
            "MindIE does not extend it (no YaRN for this model)",
            evidence=found.sum_in_words,
            remedy=f"set serving.max_seq_len to at most {found.window}",
        )
    if found.fits:
        return Finding(
            "capacity",
            Verdict.PASS,
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
    return Finding(
        "capacity",
        Verdict.FAILURE,
        what,
        evidence=found.sum_in_words,
        remedy="; ".join(_remedies(shape, found, load)),
    )


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
