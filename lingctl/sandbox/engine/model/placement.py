"""Which part of the model each rank holds: attention heads by a layout, everything else in equal slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RankHeads:
    """The heads of one rank; ``None`` is a padding slot of zeros.

    Query slot ``i`` attends with KV slot ``i // (len(query) // len(kv))``.
    """

    query: tuple[int | None, ...]
    kv: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """What this process computes: some ranks out of ``world``, in ascending order."""

    world: int
    ranks: tuple[int, ...]
    heads: tuple[RankHeads, ...]

    def columns(self, width: int, what: str) -> list[slice]:
        """This share's slices of a dimension that the ranks divide equally.

        Raises:
            ValueError: the dimension does not divide.
        """
        if width % self.world:
            raise ValueError(f"{what} {width} is not divisible by the world size {self.world}")
        part = width // self.world
        return [slice(rank * part, (rank + 1) * part) for rank in self.ranks]


def stock_heads(query_heads: int, kv_heads: int, world: int) -> list[RankHeads]:
    """Placement by the stock formula: contiguous equal slices of query heads, KV heads shared by neighbours.

    Raises:
        ValueError: a rank would get a fraction of a head.
    """
    if query_heads % world or (kv_heads % world and world % kv_heads):
        raise ValueError(f"{query_heads} % {world} != 0 or {kv_heads} % {world} != 0")
    per_rank = query_heads // world
    group = query_heads // kv_heads
    placed = []
    for rank in range(world):
        query = tuple(range(rank * per_rank, (rank + 1) * per_rank))
        kv = tuple(sorted({head // group for head in query}))
        placed.append(RankHeads(query, kv))
    return placed


def share_of(world: int, ranks: Sequence[int], heads: Sequence[RankHeads]) -> Share:
    """The share of the given ranks."""
    ordered = tuple(sorted(ranks))
    return Share(world, ordered, tuple(heads[rank] for rank in ordered))
