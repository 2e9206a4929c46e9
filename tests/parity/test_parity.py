"""The overlay's logits against the reference's: every kind of Ling model, every number of ranks."""

import pytest
import torch

from tests.parity.checkpoints import CASES, TENSOR_PARALLEL, case
from tests.parity.decoder_graph import DecoderGraph
from tests.parity.engine import (
    CONTINUATIONS,
    PROMPTS,
    contract_tree,
    edited_overlay,
    load_rank,
    run_ranks,
    worst_difference,
)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    with contract_tree(folder / "site"):
        edited_overlay(folder / "site" / "atb_llm" / "models" / "bailing_moe")
        yield folder


@pytest.mark.parametrize("ranks", TENSOR_PARALLEL)
@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_logits_match_the_reference(tree, checkpoints, name, ranks):
    served, reference = checkpoints(name)
    models = [load_rank(served, rank, ranks) for rank in range(ranks)]
    assert worst_difference(run_ranks(models), reference.logits) <= case(name).tolerance


@pytest.mark.parametrize("name", ["lite", "plus"])
def test_a_bf16_graph_stays_near(tree, checkpoints, monkeypatch, name):
    """Smoke: in the card's arithmetic the logits move by rounding, not by a wrong weight."""
    served, reference = checkpoints(name)
    monkeypatch.setattr(DecoderGraph, "arithmetic", torch.bfloat16)
    found = run_ranks([load_rank(served, rank, 4) for rank in range(4)])
    for index, logits in enumerate(found):
        wanted = reference.logits([*PROMPTS[index], *CONTINUATIONS[index]])[len(PROMPTS[index]) - 1 :]
        assert logits.isfinite().all()
        assert torch.nn.functional.cosine_similarity(logits, wanted).min() > 0.98
