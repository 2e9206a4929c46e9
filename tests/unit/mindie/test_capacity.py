"""Capacity: the arithmetic against published numbers and the overlay's own dealing, and the verdicts."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingctl.ascend.cards.npu_smi import Chip, NpuTable
from lingctl.ascend.questions import read_facts
from lingctl.ascend.scope import NodeScope
from lingctl.assets import asset
from lingctl.checks.capacity import check_capacity
from lingctl.engine.capacity import Load, capacity_findings
from lingctl.errors import ConfigurationError, UsageError
from lingctl.findings import Verdict
from lingctl.flows.files.capacity import Wishes, answer_capacity, list_models
from lingctl.inventory.models.catalogue import LITE, MODELS, PLUS, find_model
from lingctl.mindie.capacity import verdict as capacity_verdict
from lingctl.mindie.capacity.estimate import (
    card_parameters,
    estimate,
    head_slots,
    smallest_fit,
    uneven,
)
from lingctl.mindie.capacity.verdict import judge
from lingctl.remote.probe import Answers
from tests.unit.mindie.samples import make_cluster

README = Load(14000, 8192, 4096, 0.8)
LARGE = Load(14000, 8192, 4096, 0.95)


@pytest.mark.parametrize(("shape", "parameters"), [(LITE, 16_801_974_272), (PLUS, 292_540_679_424)])
def test_parameter_counts_are_the_published_ones(shape, parameters):
    assert card_parameters(shape, 1) == parameters


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_catalogue_s_sizes_follow_from_its_shapes(model):
    assert model.weights_bytes == 2 * card_parameters(model.shape, 1)


# Worked out by hand from the formulas of docs/capacity.md, an own reading of them each.
@pytest.mark.parametrize(
    ("shape", "ranks", "hbm", "load", "weights", "cache", "token_bytes", "fits"),
    [
        (LITE, 1, 64, README, 31.30, 14.47, 57344, True),
        (LITE, 2, 64, README, 15.89, 29.88, 28672, True),
        (LITE, 4, 64, README, 8.19, 37.58, 14336, True),
        (LITE, 8, 64, README, 4.35, 41.41, 14336, True),
        (LITE, 1, 32, LARGE, 31.30, -6.27, 57344, False),
        (LITE, 2, 32, README, 15.89, 4.71, 28672, True),
        (PLUS, 8, 64, LARGE, 69.27, -14.36, 45056, False),
        (PLUS, 16, 64, LARGE, 35.52, 19.39, 45056, True),
        (PLUS, 16, 32, LARGE, 35.52, -10.50, 45056, False),
        (PLUS, 32, 32, LARGE, 18.54, 6.49, 45056, True),
    ],
)
def test_worked_examples(shape, ranks, hbm, load, weights, cache, token_bytes, fits):
    found = estimate(shape, 16384, ranks, hbm, load)
    assert found.weights_gib == pytest.approx(weights, abs=0.01)
    assert found.cache_gib == pytest.approx(cache, abs=0.01)
    assert (found.token_bytes, found.fits) == (token_bytes, fits)
    assert found.needed_blocks == 96


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 64))
def test_heads_are_dealt_as_the_overlay_deals_them(kv_heads, group, ranks):
    layout = runpy.run_path(str(asset("atb_patches") / "bailing_moe" / "layout.py"))
    dealt = layout["place_heads"](kv_heads * group, kv_heads, ranks)[0]
    shape = LITE.__class__(1, 1, kv_heads * group, kv_heads, 1, 1, 1, 1, 1, 1)
    assert head_slots(shape, ranks) == (len(dealt.query), len(dealt.kv))


@given(st.sampled_from([LITE, PLUS]), st.sampled_from([1, 2, 4, 8, 16, 32]), st.sampled_from([32, 64]))
def test_more_cards_or_memory_never_fit_less(shape, ranks, hbm):
    here = estimate(shape, 16384, ranks, hbm, README)
    for better in (
        estimate(shape, 16384, ranks * 2, hbm, README),
        estimate(shape, 16384, ranks, hbm * 2, README),
        estimate(shape, 16384, ranks, hbm, LARGE),
    ):
        assert better.fits or not here.fits
        assert better.cache_gib > here.cache_gib


def test_what_does_not_fit_says_by_how_much_and_what_would():
    found = judge(PLUS, estimate(PLUS, 16384, 8, 64, README), README)
    assert found.verdict is Verdict.FAILURE
    assert "23.5 GiB short" in found.message
    assert "weights 69.3" in found.evidence
    assert "16 cards of 64 GiB (2 nodes of 8)" in found.remedy


def test_too_long_a_sequence_for_the_cache_names_the_longest_that_fits():
    load = Load(16384, 16384, 16384, 0.6, overhead_gib=5.0)
    found = judge(LITE, estimate(LITE, 16384, 1, 64, load), load)
    assert found.verdict is Verdict.FAILURE
    assert "MindIE would refuse to start" in found.message
    assert "serving.max_seq_len at most" in found.remedy
    assert "npu_memory_fraction to 0.95" in found.remedy


def test_a_sequence_beyond_the_window_is_not_promised():
    load = Load(32768, 8192, 4096, 0.8)
    found = judge(LITE, estimate(LITE, 16384, 8, 64, load), load)
    assert found.verdict is Verdict.FAILURE
    assert "16384" in found.remedy


@pytest.mark.parametrize("ranks", [3, 5, 6, 7, 12, 24])
def test_a_number_of_ranks_that_the_overlay_cannot_cut_for_is_refused(ranks):
    assert uneven(LITE, ranks)
    assert judge(LITE, estimate(LITE, 16384, ranks, 64, README), README).verdict is Verdict.FAILURE


def test_nothing_that_fits_is_said_plainly():
    assert smallest_fit(PLUS, 16384, 8, README) is None
    assert "64 GiB" in judge(PLUS, estimate(PLUS, 16384, 8, 8, README), README).remedy


def test_a_cluster_is_judged_by_its_smallest_card():
    cluster = make_cluster("Ling-plus", nodes=2)
    memory = {node.name: dict.fromkeys(range(8), 65536) for node in cluster.nodes}
    assert [f.verdict for f in capacity_findings(capacity_verdict, cluster, memory)] == [Verdict.PASS]
    memory["node2"][3] = 32768
    assert [f.verdict for f in capacity_findings(capacity_verdict, cluster, memory)] == [Verdict.FAILURE]


def test_unknown_memory_is_not_a_pass():
    found = capacity_findings(capacity_verdict, make_cluster(), {"node1": dict.fromkeys(range(7), 65536)})
    assert [(f.verdict, f.where) for f in found] == [(Verdict.UNKNOWN, "node1 card 7")]


def test_a_downloaded_config_is_believed_before_the_catalogue():
    config = {
        "architectures": ["BailingMoeForCausalLM"],
        "model_type": "bailing_moe",
        "num_hidden_layers": 14,
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "num_experts": 64,
        "num_experts_per_tok": 6,
        "num_shared_experts": 2,
        "moe_intermediate_size": 1408,
        "vocab_size": 126464,
        "max_position_embeddings": 8192,
    }
    whole = answer_capacity(find_model("Ling-lite"), Wishes(devices=1))
    half = answer_capacity(find_model("Ling-lite"), Wishes(devices=1), model_config=config)
    assert half.found.weights_gib < whole.found.weights_gib * 0.55
    assert half.found.window == 8192


def test_what_would_fit_keeps_what_was_asked_to_be_kept() -> None:
    """With 25 GiB of each card kept, what holds it without does not."""
    usual = answer_capacity(find_model("Ling-plus"), Wishes(devices=8)).finding.remedy
    kept = answer_capacity(find_model("Ling-plus"), Wishes(devices=8, overhead_gib=25)).finding.remedy
    assert "16 cards" in usual and "16 cards" not in kept


@pytest.mark.parametrize(
    "wishes", [Wishes(devices=1, hbm_gib=0), Wishes(fraction=1.5), Wishes(overhead_gib=99)]
)
def test_nonsense_is_a_usage_error(wishes):
    with pytest.raises(UsageError):
        answer_capacity(find_model("Ling-lite"), wishes)


def test_the_list_of_models_names_the_fewest_cards():
    listed = {one.model.name: dict(one.cards) for one in list_models()}
    assert listed["Ling-lite"] == {64: 1, 32: 2}
    assert listed["Ling-plus"] == {64: 16, 32: 32}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Ling-mini-2.0", "BailingMoeV2"),
        ("inclusionAI/Ling-flash-2.0", "BailingMoeV2"),
        ("Ring-mini-2.0", "BailingMoeV2"),
        ("Ling-1T", "BailingMoeV2"),
        ("Ring-1T", "BailingMoeV2"),
        ("Ling-2.5-1T", "bailing_hybrid"),
        ("Ring-lite-linear-preview", "linear attention"),
        ("Ling-Coder-lite-GPTQ-Int8", "GPTQ"),
    ],
)
def test_families_that_are_not_served_are_refused_by_name(name, word):
    with pytest.raises(ConfigurationError) as caught:
        find_model(name)
    assert caught.value.code == "model-family-unsupported"
    assert word in caught.value.what


def test_the_table_in_the_docs_is_what_is_computed():
    page = (Path(__file__).resolve().parents[3] / "docs" / "capacity.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ")
        for line in page.partition("\n## With vLLM\n")[0].splitlines()
        if line.startswith(("| lite |", "| plus |"))
    ]
    assert len(rows) == 10
    for model, cards, memory, weights, cache, blocks, verdict in rows:
        load = LARGE if int(cards) > 8 else README
        found = estimate(LITE if model == "lite" else PLUS, 16384, int(cards), float(memory), load)
        assert f"{found.weights_gib:.1f}" == weights
        assert f"{found.cache_gib:.1f}".replace("-", "−") == cache
        assert (found.blocks, found.fits) == (int(blocks), verdict.startswith("fits"))


def test_the_memory_that_npu_smi_shows_is_judged():
    chips = tuple(
        Chip(npu=n, chip=0, physical=None, name="910B3", health="OK", bus="", hbm_total_mb=65536)
        for n in range(8)
    )
    cluster = make_cluster()
    seen = replace(_no_facts(), npus=NpuTable("24.1", "24.1", chips), dev=tuple(range(8)))
    assert [f.verdict for f in check_capacity(cluster, {"node1": seen})] == [Verdict.PASS]
    assert {f.verdict for f in check_capacity(cluster, {"node1": _no_facts()})} == {Verdict.UNKNOWN}


def _no_facts():
    return read_facts(NodeScope("node1", tuple(range(8))), Answers({}, complete=False))
