"""Whether a model fits the cards: weights, KV cache and overhead per card against its memory.

An estimate that is made before anything starts. Sources: MindIE-LLM v3.0.0 mindie_llm/text_generator/
generator.py (what is left of memory x fraction after warm-up becomes KV cache), the documents' block formula,
users' reports of what a card shows; sizes follow from the published architectures and from how the overlay
deals tensors to ranks. docs/capacity.md has the formulas worked through.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from lingctl.inventory.catalogue import Shape

GIB = 1024**3
BLOCK_TOKENS = 128
_BF16 = 2
# What torch sees of a card: 60.96 of 64 and 29.50 of 32 GiB in users' reports; the firmware keeps the rest.
_SEEN: dict[float, float] = {64: 60.96, 32: 29.50}
_SEEN_SHARE = 0.95
# Operators' workspace, HCCL buffers, the runtime: 2 to 5 GiB in reports; other tools reserve 3 as well.
OVERHEAD_GIB = 3.0
# The models' dimensions divide by powers of two alone; more cards than this nobody is known to have used.
_WORLDS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is asked to serve.

    Attributes:
        sequence: longest sequence in tokens, input and output together.
        longest_input: longest input in tokens.
        longest_output: most tokens of one answer.
        fraction: share of each card's memory that MindIE may use.
    """

    sequence: int
    longest_input: int
    longest_output: int
    fraction: float

    @property
    def tokens(self) -> int:
        """Tokens of KV cache that one request may need; MindIE refuses to start with less."""
        return min(self.sequence, self.longest_input + self.longest_output)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one card has to hold.

    Attributes:
        ranks: cards in all.
        hbm_gib: nominal memory of a card.
        usable_gib: what MindIE may use of it.
        weights_gib: weights on each card.
        overhead_gib: kept for workspace and runtime.
        cache_gib: what is left for the KV cache; negative if nothing is.
        token_bytes: KV cache of one token on each card.
        needed_tokens: what one request of the longest kind needs.
        window: tokens of the model's native window.
        uneven: why the model cannot be cut into so many ranks; empty if it can.
    """

    ranks: int
    hbm_gib: float
    usable_gib: float
    weights_gib: float
    overhead_gib: float
    cache_gib: float
    token_bytes: int
    needed_tokens: int
    window: int
    uneven: str

    @property
    def blocks(self) -> int:
        """KV blocks of 128 tokens; MindIE keeps one for itself."""
        return max(int(self.cache_gib * GIB // (self.token_bytes * BLOCK_TOKENS)) - 1, 0)

    @property
    def needed_blocks(self) -> int:
        """Blocks of one request of the longest kind."""
        return -(-self.needed_tokens // BLOCK_TOKENS)

    @property
    def token_budget(self) -> int:
        """Tokens that all requests together may have in the cache."""
        return self.blocks * BLOCK_TOKENS

    @property
    def longest_context(self) -> int:
        """Longest sequence that fits, within the model's native window."""
        return min(self.token_budget, self.window)

    @property
    def requests(self) -> int:
        """Requests of the longest kind that fit at the same time."""
        return self.blocks // max(self.needed_blocks, 1)

    @property
    def fits(self) -> bool:
        """Whether MindIE can start with it."""
        return not self.uneven and self.cache_gib > 0 and self.blocks >= self.needed_blocks

    @property
    def sum_in_words(self) -> str:
        """The arithmetic of one card."""
        return (
            f"a card of {self.hbm_gib:g} GiB gives {self.usable_gib:.1f} GiB: "
            f"weights {self.weights_gib:.1f}, overhead {self.overhead_gib:.1f}, "
            f"KV cache {self.cache_gib:.1f} GiB"
        )

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "fits": self.fits,
            "ranks": self.ranks,
            "hbm_gib": self.hbm_gib,
            "usable_gib": round(self.usable_gib, 2),
            "weights_gib": round(self.weights_gib, 2),
            "overhead_gib": self.overhead_gib,
            "cache_gib": round(self.cache_gib, 2),
            "token_bytes": self.token_bytes,
            "blocks": self.blocks,
            "needed_blocks": self.needed_blocks,
            "token_budget": self.token_budget,
            "longest_context": self.longest_context,
            "requests": self.requests,
            "uneven": self.uneven,
        }


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
