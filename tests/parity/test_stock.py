"""What the overlay leaves alone, what it looks up, and that it runs on the older surface too."""

import importlib

import pytest
import torch

from tests.parity.checkpoints import case
from tests.parity.engine import (
    contract_tree,
    edited_overlay,
    load_rank,
    run_ranks,
    worst_difference,
)
from tests.parity.stock_deepseek import in_bfloat16, write_deepseek

pytestmark = pytest.mark.torch


@pytest.fixture
def tree(tmp_path):
    with contract_tree(tmp_path / "site"):
        edited_overlay(tmp_path / "site" / "atb_llm" / "models" / "bailing_moe")
        yield tmp_path


def _deepseek_logits(folder):
    with in_bfloat16():
        models = [load_rank(folder, rank, 2) for rank in range(2)]
    return run_ranks(models)


def test_stock_deepseek_is_as_before(tree, tmp_path, checkpoints):
    folder, reference = write_deepseek(tmp_path)
    before = _deepseek_logits(folder)
    served, _ = checkpoints("lite-1.5")
    run_ranks([load_rank(served, 0, 1)])
    after = _deepseek_logits(folder)
    assert worst_difference(before, reference.logits) <= 5e-6
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_stock_decoder_is_given_back_after_a_failure(tree, checkpoints):
    served, _ = checkpoints("lite")
    stock = importlib.import_module("atb_llm.models.deepseek.flash_causal_deepseek")
    original = stock.FlashDeepseekModel
    with pytest.raises(ValueError, match="does not divide by 3 ranks"):
        load_rank(served, 0, 3)
    load_rank(served, 0, 1)
    assert stock.FlashDeepseekModel is original


def test_without_the_overlay_the_model_type_is_unknown(tmp_path, checkpoints):
    served, _ = checkpoints("lite")
    with contract_tree(tmp_path / "site"), pytest.raises(NotImplementedError, match="bailing_moe"):
        load_rank(served, 0, 1)


def test_an_older_surface_without_process_group_kinds(tree, checkpoints, monkeypatch):
    """1.0.0 has neither ProcessGroupType nor switch_process_group nor a mapping."""
    weights = importlib.import_module("atb_llm.utils.weights")
    monkeypatch.delattr(weights, "ProcessGroupType")
    monkeypatch.delattr(weights.Weights, "switch_process_group")
    served, reference = checkpoints("plus")
    found = run_ranks([load_rank(served, rank, 16, mapping=object()) for rank in range(16)])
    assert worst_difference(found, reference.logits) <= case("plus").tolerance


def test_an_unknown_decoder_name_is_said(tree, checkpoints, monkeypatch):
    served, _ = checkpoints("lite")
    stock = importlib.import_module("atb_llm.models.deepseek.flash_causal_deepseek")
    monkeypatch.delattr(stock, "FlashDeepseekModel")
    with pytest.raises(ValueError, match="no FlashDeepseekModel"):
        load_rank(served, 0, 1)


def test_a_type_error_of_stock_does_not_escape(tree, checkpoints, monkeypatch):
    """The 3.0 model runner would hide it by trying again."""
    served, _ = checkpoints("lite")
    stock = importlib.import_module("atb_llm.models.deepseek.flash_causal_deepseek")
    monkeypatch.setattr(stock.FlashDeepseekForCausalLM, "init_ascend_operations", lambda self: None)
    with pytest.raises(ValueError, match="overlay knows"):
        load_rank(served, 0, 1)


def test_light_modules_need_no_device(tree):
    """Config, router and layout are read where no device package is installed."""
    import sys

    importlib.import_module("atb_llm.models.bailing_moe.router_bailing_moe")
    loaded = set(sys.modules)
    assert "atb_llm.models.deepseek.flash_causal_deepseek" not in loaded
    assert "atb_llm.models.bailing_moe.modeling_bailing_moe" not in loaded
    assert "torch_npu" not in loaded
