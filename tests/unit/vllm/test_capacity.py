"""vLLM's arithmetic of a card: what is cut, what is whole, and what one request of the longest kind takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.engine.capacity import GIB, Load, seen_gib
from lingctl.engines import engine_of
from lingctl.findings import Verdict
from lingctl.flows.files.capacity import Wishes, answer_capacity
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.models.catalogue import LITE, PLUS, find_model
from lingctl.vllm.capacity.estimate import estimate_cut, fullest_card_parameters
from lingctl.vllm.capacity.verdict import VllmCapacity
from lingctl.vllm.launch.parallel import Cut, cut_for
from lingctl.vllm.profile import vllm_profile_for
from tests.unit.vllm.samples import vllm_cluster

TODAY = vllm_profile_for("0.23.0")
LOAD = Load(16384, 16384, 16384, 0.9)


def test_one_card_holds_the_whole_model():
    assert fullest_card_parameters(LITE, Cut(1)) * 2 == find_model("Ling-lite").weights_bytes
    assert fullest_card_parameters(PLUS, Cut(1)) * 2 == find_model("Ling-plus").weights_bytes


@pytest.mark.parametrize("cut", [Cut(8, pipeline=2), Cut(8, data=2), Cut(16), Cut(4)])
def test_cards_together_hold_at_least_the_model(cut):
    cards = cut.tensor * cut.pipeline * cut.data
    assert fullest_card_parameters(LITE, cut) * cards >= fullest_card_parameters(LITE, Cut(1))


@pytest.mark.parametrize(
    ("shape", "cut", "token_bytes"),
    [
        (LITE, Cut(1), 2 * 28 * 4 * 128 * 2),
        (LITE, Cut(4), 2 * 28 * 1 * 128 * 2),
        # Repeated: more cards than KV heads make a token no cheaper.
        (LITE, Cut(8), 2 * 28 * 1 * 128 * 2),
        (PLUS, Cut(8), 2 * 88 * 1 * 128 * 2),
        # Half of the layers on each node.
        (PLUS, Cut(8, pipeline=2), 2 * 44 * 1 * 128 * 2),
        (PLUS, Cut(8, data=2), 2 * 88 * 1 * 128 * 2),
    ],
)
def test_a_token_takes_what_its_layers_and_heads_on_a_card_take(shape, cut, token_bytes):
    assert estimate_cut(shape, 16384, cut, 64, LOAD, TODAY).token_bytes == token_bytes


def test_the_fraction_is_of_all_that_the_card_has_and_the_longest_sequence_must_fit():
    found = estimate_cut(LITE, 16384, Cut(1), 64, LOAD, TODAY)
    assert found.usable_gib == pytest.approx(seen_gib(64) * 0.9)
    assert found.cache_gib == pytest.approx(found.usable_gib - 33_603_948_544 / GIB - 3)
    assert found.needed_tokens == 16384 and found.fits


@pytest.mark.parametrize(
    ("model", "cards", "hbm", "fits"),
    [
        ("Ling-lite", 1, 64, True),
        ("Ling-lite", 1, 32, False),
        ("Ling-lite", 2, 32, True),
        ("Ling-lite", 8, 64, True),
        ("Ling-plus", 8, 64, False),
        ("Ling-plus", 16, 64, True),
        ("Ling-plus", 16, 32, False),
    ],
)
def test_what_fits(model, cards, hbm, fits):
    cluster = vllm_cluster(model, 2 if model == "Ling-plus" else 1)
    answer = answer_capacity(find_model(model), Wishes(devices=cards, hbm_gib=hbm), cluster)
    assert answer.found.fits is fits
    assert (answer.finding.verdict is Verdict.PASS) is fits
    assert answer.engine == "vLLM 0.23.0"


def test_what_does_not_fit_says_what_would():
    def remedy(hardware: str) -> str:
        cluster = vllm_cluster("Ling-plus", engine={"name": "vllm", "hardware": hardware})
        return answer_capacity(find_model("Ling-plus"), Wishes(), cluster).finding.remedy

    assert remedy("a2") == "the nearest shape that fits is 16 cards of 64 GiB (2 nodes of 8)"
    assert remedy("a3").endswith("16 cards of 64 GiB with engine: {parallel: pipeline}")


def test_a_way_that_cannot_be_is_no_fit():
    cluster = vllm_cluster("Ling-plus", 2, {"name": "vllm", "parallel": "tensor"})
    capacity = engine_of(cluster).capacity
    found = capacity.estimate(PLUS, 16384, 16, 64, capacity.load_of(cluster))
    assert not found.fits and "56 attention heads" in found.uneven
    assert "56 attention heads" in capacity.judge(PLUS, found, capacity.load_of(cluster)).message


def test_the_table_in_the_docs_is_what_is_computed():
    page = (Path(__file__).resolve().parents[3] / "docs" / "capacity.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ")
        for line in page.partition("\n## With vLLM\n")[2].splitlines()
        if line.startswith(("| lite |", "| plus |"))
    ]
    assert len(rows) == 5
    for model, cards, words, weights, cache, token, blocks, verdict in rows:
        shape = LITE if model == "lite" else PLUS
        found = VllmCapacity(TODAY, EngineChoice(name="vllm")).estimate(shape, 16384, int(cards), 64, LOAD)
        cut = cut_for(shape, TODAY, int(cards), min(8, int(cards)), EngineChoice(name="vllm"))
        assert cut.words == words
        assert f"{found.weights_gib:.1f}" == weights
        assert f"{found.cache_gib:.1f}".replace("-", "−") == cache
        assert (found.token_bytes, found.blocks) == (int(token.replace(" ", "")), int(blocks))
        assert found.fits is verdict.startswith("fits")
