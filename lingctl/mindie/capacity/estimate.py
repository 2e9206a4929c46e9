"""Whether a model fits the cards: weights, KV cache and overhead per card against its memory.

An estimate that is made before anything starts. Sources: MindIE-LLM v3.0.0 mindie_llm/text_generator/
generator.py (what is left of memory x fraction after warm-up becomes KV cache), the documents' block formula,
users' reports of what a card shows; sizes follow from the published architectures and from how the overlay
deals tensors to ranks. docs/capacity.md has the formulas worked through.
"""

from __future__ import annotations

from math import gcd

from lingctl.engine.capacity import GIB, NUMBERS_OF_CARDS, Estimate, Load, seen_gib
from lingctl.inventory.models.catalogue import Shape

_BF16 = 2


def estimate(shape: Shape, window: int, ranks: int, hbm_gib: float, load: Load) -> Estimate:
    """See ``Capacity.estimate``."""
    _, kv_slots = head_slots(shape, ranks)
    return Estimate(
        ranks=ranks,
        hbm_gib=hbm_gib,
        usable_gib=seen_gib(hbm_gib) * load.fraction,
        weights_gib=card_parameters(shape, ranks) * _BF16 / GIB,
        overhead_gib=load.overhead_gib,
        token_bytes=2 * shape.layers * kv_slots * shape.head_dim * _BF16,
        needed_tokens=load.tokens,
        window=window,
        uneven=uneven(shape, ranks),
    )


def uneven(shape: Shape, ranks: int) -> str:
    """Why a model cannot be cut into so many ranks; empty if it can. The overlay refuses uneven cuts."""
    whole = gcd(shape.vocabulary, shape.moe_intermediate)
    if whole % ranks == 0:
        return ""
    possible = [number for number in NUMBERS_OF_CARDS if whole % number == 0]
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


def smallest_fit(shape: Shape, window: int, hbm_gib: float, load: Load) -> Estimate | None:
    """The fewest cards that hold it; None if not even the largest group does."""
    tried = (estimate(shape, window, ranks, hbm_gib, load) for ranks in NUMBERS_OF_CARDS)
    return next((found for found in tried if found.fits), None)
