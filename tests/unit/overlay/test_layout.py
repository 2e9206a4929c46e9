"""Where attention heads go, for every shape a model may have: no torch, no atb_llm."""

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

_PATH = Path(__file__).parents[3] / "atb_patches" / "bailing_moe" / "layout.py"
_SPEC = importlib.util.spec_from_file_location("bailing_moe_layout", _PATH)
layout = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = layout
_SPEC.loader.exec_module(layout)

models = st.tuples(st.integers(1, 24), st.integers(1, 12)).map(lambda m: (m[0] * m[1], m[1]))
worlds = st.integers(1, 64)


@given(models, worlds)
def test_every_query_head_is_on_one_rank_once(model, world):
    query, kv = model
    placed = [
        head for rank in layout.place_heads(query, kv, world) for head in rank.query if head is not None
    ]
    assert sorted(placed) == list(range(query))


@given(models, worlds)
def test_a_query_head_attends_with_its_own_kv_head(model, world):
    """The graph gives query slot i of a rank its KV slot i // (query slots / KV slots)."""
    query, kv = model
    for rank in layout.place_heads(query, kv, world):
        ratio, rest = divmod(len(rank.query), len(rank.kv))
        assert not rest
        for slot, head in enumerate(rank.query):
            if head is not None:
                assert rank.kv[slot // ratio] == head // (query // kv)


@given(models, worlds)
def test_all_ranks_have_equal_numbers_of_slots(model, world):
    """One graph parameter says them for all ranks, and KV caches are allocated alike."""
    ranks = layout.place_heads(*model, world)
    assert len(ranks) == world
    assert len({(len(rank.query), len(rank.kv)) for rank in ranks}) == 1
    assert all(rank.query and rank.kv for rank in ranks)


@given(models, worlds)
def test_empty_slots_are_no_more_than_needed(model, world):
    """A KV slot is empty only where its query slots are, so that zeros meet zeros."""
    query, kv = model
    for rank in layout.place_heads(query, kv, world):
        ratio = len(rank.query) // len(rank.kv)
        for slot, head in enumerate(rank.kv):
            mine = rank.query[slot * ratio : (slot + 1) * ratio]
            assert head is not None or set(mine) == {None}
    slots = sum(len(rank.query) for rank in layout.place_heads(query, kv, world))
    assert slots < 2 * query + 2 * world * (query // kv)


# Query and KV slots a rank, query slots empty in all, ranks without a head: atb-models' published shapes.
@pytest.mark.parametrize(
    ("query", "kv", "world", "expected"),
    [
        (16, 4, 1, (16, 4, 0, 0)),
        (16, 4, 2, (8, 2, 0, 0)),
        (16, 4, 4, (4, 1, 0, 0)),
        (16, 4, 8, (2, 1, 0, 0)),
        (16, 4, 16, (1, 1, 0, 0)),
        (56, 8, 4, (14, 2, 0, 0)),
        (56, 8, 8, (7, 1, 0, 0)),
        (56, 8, 16, (4, 1, 8, 0)),
        (42, 6, 8, (7, 1, 14, 2)),
        (42, 6, 16, (4, 1, 22, 4)),
    ],
)
def test_published_models(query, kv, world, expected):
    ranks = layout.place_heads(query, kv, world)
    empty = sum(head is None for rank in ranks for head in rank.query)
    idle = sum(set(rank.query) == {None} for rank in ranks)
    assert (len(ranks[0].query), len(ranks[0].kv), empty, idle) == expected


@pytest.mark.parametrize(("query", "kv", "world"), [(0, 1, 1), (4, 0, 1), (4, 2, 0), (7, 2, 1)])
def test_impossible_numbers_are_refused(query, kv, world):
    with pytest.raises(ValueError, match=r"correct (both in )?config\.json"):
        layout.place_heads(query, kv, world)


@given(models, st.sampled_from([16, 64, 128, 256]))
def test_the_width_is_measured(model, width):
    query, kv = model
    rows, columns = (query + 2 * kv) * width, query * width
    assert layout.head_width(rows, columns, query, kv) == width
    assert layout.head_width(rows, columns, query, kv, stated=width) == width
    with pytest.raises(ValueError, match="same download"):
        layout.head_width(rows, columns, query, kv, stated=width * 2)


def test_early_ling_plus_under_the_later_config_is_refused():
    """42/6 heads of 128 and 56/8 of 96 have the same shapes."""
    with pytest.raises(ValueError, match="early Ling-plus"):
        layout.head_width(6912, 5376, 56, 8)
    assert layout.head_width(6912, 5376, 42, 6) == 128
    assert layout.head_width(9216, 7168, 56, 8) == 128


def test_weights_of_another_model_are_refused():
    with pytest.raises(ValueError, match="another model"):
        layout.head_width(6912, 5376, 16, 4)
