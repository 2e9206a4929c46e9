"""The overlay's logits against the reference's: every kind of Ling model, every number of ranks."""

import pytest

from tests.parity.checkpoints import CASES, TENSOR_PARALLEL, case
from tests.parity.engine import contract_tree, edited_overlay, load_rank, run_ranks, worst_difference

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
