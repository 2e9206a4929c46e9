"""What the overlay leaves alone, what it looks up, and that it runs on the older surface too."""

import importlib
import json

import pytest
import torch
from safetensors.torch import save_file

from tests.parity.checkpoints import case, make_tensors
from tests.parity.engine import (
    PROMPTS,
    contract_tree,
    edited_overlay,
    load_rank,
    run_ranks,
    worst_difference,
)
from tests.parity.reference import Reference

pytestmark = pytest.mark.torch

_DEEPSEEK = {
    "model_type": "deepseek",
    "hidden_size": 256,
    "intermediate_size": 64,
    "moe_intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_experts_per_tok": 3,
    "first_k_dense_replace": 1,
    "norm_topk_prob": False,
    "vocab_size": 1024,
    "max_position_embeddings": 256,
    "rope_theta": 10000.0,
}


@pytest.fixture
def tree(tmp_path):
    with contract_tree(tmp_path / "site"):
        edited_overlay(tmp_path / "site" / "atb_llm" / "models" / "bailing_moe")
        yield tmp_path


@pytest.fixture
def deepseek(tmp_path):
    """A DeepSeek-MoE checkpoint, and Ling's names for the same numbers so that the reference can read it."""
    config = {**_DEEPSEEK, "num_experts": 8, "num_shared_experts": 2, "head_dim": 16, "norm_head": False}
    tensors = make_tensors({**config, "rms_norm_eps": 1e-6})
    own = {}
    for name, tensor in tensors.items():
        name = name.replace("word_embeddings", "embed_tokens").replace("attention.dense", "self_attn.o_proj")
        if "query_key_value" in name:
            for part, rows in zip("qkv", tensor.split([256, 64, 64]), strict=True):
                own[name.replace("attention.query_key_value", f"self_attn.{part}_proj")] = rows.contiguous()
        else:
            own[name] = tensor
    folder = tmp_path / "deepseek"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(_DEEPSEEK))
    save_file(own, folder / "model.safetensors")
    return folder, Reference({**config, "rms_norm_eps": 1e-6}, tensors)


def _deepseek_logits(folder, monkeypatch):
    # Stock DeepSeek loads in float16; the emulated graph is for bf16, so the dtype alone is changed here.
    config = importlib.import_module("atb_llm.models.deepseek.config_deepseek")
    monkeypatch.setattr(config.torch, "float16", torch.bfloat16)
    models = [load_rank(folder, rank, 2) for rank in range(2)]
    monkeypatch.undo()
    return run_ranks(models)


def test_stock_deepseek_is_as_before(tree, deepseek, checkpoints, monkeypatch):
    folder, reference = deepseek
    before = _deepseek_logits(folder, monkeypatch)
    served, _ = checkpoints("lite-1.5")
    run_ranks([load_rank(served, 0, 1)])
    after = _deepseek_logits(folder, monkeypatch)
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


def test_the_reference_agrees_with_a_second_opinion(checkpoints):
    """The sandbox's numpy model was written by other hands from the same description."""
    pytest.importorskip("numpy")
    from types import SimpleNamespace

    from lingctl.sandbox.engine.architecture import architecture_of
    from lingctl.sandbox.engine.model import Cache, Model
    from lingctl.sandbox.engine.placement import share_of, stock_heads

    wanted = case("lite-1.5").config
    tensors = make_tensors(wanted)

    class Tensors:
        def tensor(self, name, shape=None):
            return tensors[name].float().numpy()

    shape = architecture_of(SimpleNamespace(**wanted))
    model = Model(Tensors(), shape, share_of(1, [0], stock_heads(16, 4, 1)), lambda part: part)
    tokens = list(PROMPTS[0])
    theirs = model.forward([(tokens, Cache())])[0]
    ours = checkpoints("lite-1.5")[1].logits(tokens)[-1]
    # The second opinion keeps its rope tables in float32, ours are rounded to bf16.
    assert float((ours - torch.from_numpy(theirs)).abs().max()) < 2e-2
    unrounded = Reference(wanted, tensors, table_type=torch.float32).logits(tokens)[-1]
    assert float((unrounded - torch.from_numpy(theirs)).abs().max()) <= 5e-6
