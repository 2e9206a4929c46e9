"""Which rank holds which attention heads. Plain arithmetic: imports neither torch nor atb_llm.

Stock atb_llm cuts the packed rows into equal slices. With 56 query heads on 16 ranks that cuts heads in
half (3.5 a rank) without a word. Here every rank gets whole heads, next to the KV head they attend with.
"""

from __future__ import annotations

from dataclasses import dataclass

Slots = tuple[int | None, ...]


@dataclass(frozen=True)
class RankHeads:
    """The heads of one rank, by their number in the checkpoint; ``None`` is a slot of zeros.

    Query slot ``i`` attends with KV slot ``i // (len(query) // len(kv))``, as the ATB graph computes it.
    All ranks have equal numbers of slots.
    """

    query: Slots
    kv: Slots


def place_heads(query_heads: int, kv_heads: int, world_size: int) -> tuple[RankHeads, ...]:
    """Deal attention heads to ranks, whole groups where possible.

    A group is one KV head and the query heads that attend with it. The number of groups is grown by empty
    ones until groups divide by ranks, or ranks by groups. Then a rank holds several whole groups; or
    neighbouring ranks share one group: its KV head is on each of them, its query heads are dealt out in
    order, and the last of them may have empty slots.

    Empty slots are inert: a zero query head meets zero columns of the output projection, and an empty
    group has no query heads but empty ones.

    Args:
        query_heads: query heads of the model.
        kv_heads: KV heads of the model.
        world_size: tensor parallel ranks.

    Raises:
        ValueError: the numbers are not positive, or query heads do not divide by KV heads.
    """
    if min(query_heads, kv_heads, world_size) < 1:
        raise ValueError(
            f"num_attention_heads {query_heads}, num_key_value_heads {kv_heads} and world size {world_size} "
            "must be positive: correct config.json"
        )
    if query_heads % kv_heads:
        raise ValueError(
            f"num_attention_heads {query_heads} is not a multiple of num_key_value_heads {kv_heads}: "
            "correct both in config.json"
        )
    group_size = query_heads // kv_heads
    groups = [_group(index, kv_heads, group_size) for index in range(_grown(kv_heads, world_size))]
    if len(groups) >= world_size:
        per_rank = len(groups) // world_size
        return tuple(_joined(groups[rank * per_rank : (rank + 1) * per_rank]) for rank in range(world_size))
    sharers = world_size // len(groups)
    return tuple(_share(groups[rank // sharers], rank % sharers, sharers) for rank in range(world_size))


def head_width(
    packed_rows: int, dense_columns: int, query_heads: int, kv_heads: int, stated: int | None = None
) -> int:
    """The width of an attention head, measured from the tensors.

    config.json is no witness: published Ling-plus configs leave ``head_dim`` out, and hidden size over
    heads gives 96 where the heads are 128 wide.

    Args:
        packed_rows: rows of ``attention.query_key_value.weight``.
        dense_columns: columns of ``attention.dense.weight``.
        query_heads: query heads according to config.json.
        kv_heads: KV heads according to config.json.
        stated: ``head_dim`` of config.json, if it has one.

    Raises:
        ValueError: tensors and config.json contradict each other.
    """
    width, rest = divmod(dense_columns, query_heads)
    if rest or width % 2 or width * (query_heads + 2 * kv_heads) != packed_rows:
        raise ValueError(
            f"attention.query_key_value has {packed_rows} rows and attention.dense {dense_columns} columns, "
            f"which do not fit {query_heads} query heads and {kv_heads} KV heads: the config.json is of "
            "another model than the weights; take it from the same download"
        )
    if stated and stated != width:
        raise ValueError(
            f"config.json says head_dim {stated}, the tensors say {width}: correct num_attention_heads, "
            "num_key_value_heads and head_dim; take config.json from the same download as the weights"
        )
    # 42/6 heads of 128 have the same shapes as 56/8 of 96: the early Ling-plus under the later config.json.
    if not stated and width & (width - 1):
        raise ValueError(
            f"attention heads of width {width} fit no Ling model: probably num_attention_heads {query_heads} "
            f"and num_key_value_heads {kv_heads} in config.json belong to other weights (early Ling-plus has "
            "42 and 6, later 56 and 8); if it is meant, state head_dim in config.json"
        )
    return width


def _grown(groups: int, world_size: int) -> int:
    while groups % world_size and world_size % groups:
        groups += 1
    return groups


def _group(index: int, kv_heads: int, group_size: int) -> RankHeads:
    if index >= kv_heads:
        return RankHeads((None,) * group_size, (None,))
    return RankHeads(tuple(range(index * group_size, (index + 1) * group_size)), (index,))


def _joined(groups: list[RankHeads]) -> RankHeads:
    query = tuple(head for group in groups for head in group.query)
    return RankHeads(query, tuple(group.kv[0] for group in groups))


def _share(group: RankHeads, place: int, sharers: int) -> RankHeads:
    slots = -(-len(group.query) // sharers)
    mine = group.query[place * slots : (place + 1) * slots]
    return RankHeads(mine + (None,) * (slots - len(mine)), group.kv)
