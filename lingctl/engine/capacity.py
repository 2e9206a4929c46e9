"""Whether a model fits the cards: what is asked and answered, and what an engine computes between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from lingctl.findings import Finding, Subject, Verdict
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import Shape

GIB = 1024**3
BLOCK_TOKENS = 128
# Operators' workspace, HCCL buffers, the runtime: 2 to 5 GiB in reports; other tools reserve 3 as well.
OVERHEAD_GIB = 3.0
# What torch sees of a card: 60.96 of 64 and 29.50 of 32 GiB in users' reports; the firmware keeps the rest.
_SEEN: dict[float, float] = {64: 60.96, 32: 29.50}
_SEEN_SHARE = 0.95
# The models' dimensions divide by powers of two alone; more cards than this nobody is known to have used.
NUMBERS_OF_CARDS = (1, 2, 4, 8, 16, 32, 64)
# More leaves nothing for what the runtime takes while it serves.
_MOST_FRACTION = 0.95


def seen_gib(hbm_gib: float) -> float:
    """What the runtime sees of a card's nominal memory."""
    return (
        _SEEN.get(int(hbm_gib), hbm_gib * _SEEN_SHARE) if hbm_gib == int(hbm_gib) else hbm_gib * _SEEN_SHARE
    )


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is asked to serve."""

    sequence: int  # longest sequence in tokens, input and output together
    longest_input: int  # longest input in tokens
    longest_output: int  # most tokens of one answer
    fraction: float  # share of each card's memory that the engine may use
    cards_of_node: int = 8  # cards of one node: engines cut a model otherwise between nodes than in one
    overhead_gib: float = OVERHEAD_GIB  # kept on each card for workspace and runtime

    @property
    def tokens(self) -> int:
        """Tokens of KV cache that one request may need; engines refuse to start with less."""
        return min(self.sequence, self.longest_input + self.longest_output)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one card has to hold."""

    ranks: int  # cards in all
    hbm_gib: float  # nominal memory of a card
    usable_gib: float  # what the engine may use of it
    weights_gib: float  # weights on each card
    overhead_gib: float  # kept for workspace and runtime
    token_bytes: int  # KV cache of one token on each card
    needed_tokens: int  # what one request of the longest kind needs
    window: int  # tokens of the model's native window
    uneven: str  # why the model cannot be cut into so many ranks; empty if it can

    @property
    def cache_gib(self) -> float:
        """What is left for the KV cache; negative if nothing is."""
        return self.usable_gib - self.weights_gib - self.overhead_gib

    @property
    def blocks(self) -> int:
        """KV blocks of 128 tokens; the engine keeps one for itself."""
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
        """Whether the engine can start with it."""
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


class Capacity(Protocol):
    """An engine's arithmetic. Pure."""

    def load_of(self, cluster: Cluster) -> Load:
        """How a cluster is asked to serve."""

    def usual_load(self, ranks: int) -> Load:
        """How a model is asked to serve where hosts.yaml does not say, for so many cards."""

    def estimate(self, shape: Shape, window: int, ranks: int, hbm_gib: float, load: Load) -> Estimate:
        """What each card has to hold, and what is left for the KV cache.

        Args:
            window: tokens of its native window.
            ranks: cards in all; every one holds a slice.
            hbm_gib: nominal memory of a card, e.g. 64.
        """

    def smallest_fit(self, shape: Shape, window: int, hbm_gib: float, load: Load) -> Estimate | None:
        """The fewest cards that hold it; None if not even the largest group does."""

    def judge(self, shape: Shape, found: Estimate, load: Load) -> Finding:
        """The verdict on an estimate; "does not fit" says by how much and what would."""


def number_of_cards(number: int) -> str:
    """In words."""
    return "1 card" if number == 1 else f"{number} cards"


def nearest_shape(enough: Estimate, cards_of_node: int) -> str:
    """What would hold the model, in words."""
    nodes = -(-enough.ranks // cards_of_node)
    where = f" ({nodes} nodes of {cards_of_node})" if nodes > 1 else ""
    return f"the nearest shape that fits is {number_of_cards(enough.ranks)} of {enough.hbm_gib:g} GiB{where}"


def verdict_on(
    found: Estimate, cards: str, engine: str, remedies: Iterable[str], *, cut: str = "", beyond: str = ""
) -> Finding:
    """What an estimate says of an engine: whether it fits, or what is missing and what would do.

    Args:
        cards: in words.
        remedies: asked for only where it does not fit.
        cut: goes before the reason for which it cannot be cut.
        beyond: what else a reader must know where it fits.
    """
    of = Subject("capacity")
    if found.fits:
        return of.passes(
            f"it fits {cards}: {found.token_budget} tokens of KV cache, "
            f"{found.requests} requests of {found.needed_tokens} tokens at the same time{beyond}",
            evidence=found.sum_in_words,
        )
    if found.uneven:
        what = f"{cut}{found.uneven}"
    elif found.cache_gib <= 0:
        what = f"it does not fit {cards}: {-found.cache_gib:.1f} GiB short on each"
    else:
        what = (
            f"one request of {found.needed_tokens} tokens needs {found.needed_blocks} blocks, "
            f"{found.blocks} fit: {engine} would refuse to start"
        )
    return of.failure(what, evidence=found.sum_in_words, remedy="; ".join(remedies))


def settings_that_fit(
    estimate: Callable[[Shape, int, int, float, Load], Estimate], shape: Shape, found: Estimate, load: Load
) -> Iterator[str]:
    """What hosts.yaml may say instead, on the same cards."""
    if not found.uneven and found.token_budget >= BLOCK_TOKENS:
        yield f"shorten sequences: serving.max_seq_len at most {found.longest_context}"
    if load.fraction < _MOST_FRACTION and not found.uneven:
        more = replace(load, fraction=_MOST_FRACTION)
        if estimate(shape, found.window, found.ranks, found.hbm_gib, more).fits:
            yield f"set serving.npu_memory_fraction to {_MOST_FRACTION}"


def capacity_findings(
    capacity: Capacity,
    cluster: Cluster,
    memory_mb: Mapping[str, Mapping[int, int]],
    shape: Shape | None = None,
) -> list[Finding]:
    """Whether a cluster's model fits its cards: one finding, or one for each card whose memory is not known.

    Args:
        memory_mb: memory that npu-smi shows for each card, in MB, by node and physical id.
        shape: from the downloaded config.json, if known; else the catalogue's.
    """
    unknown = [
        Finding("capacity", Verdict.UNKNOWN, "the card's memory is not known", node.name, device)
        for node in cluster.nodes
        for device in node.devices
        if not memory_mb.get(node.name, {}).get(device)
    ]
    if unknown:
        return unknown
    model = cluster.catalogue_model
    least = min(memory_mb[node.name][device] for node in cluster.nodes for device in node.devices)
    load, shape = capacity.load_of(cluster), shape or model.shape
    found = capacity.estimate(shape, model.context, cluster.world_size, least / 1024, load)
    return [capacity.judge(shape, found, load)]
