"""What the overlay cannot compute it refuses by name, with a remedy, as ValueError: never a wrong answer."""

import json

import pytest
import torch
from safetensors.torch import save_file

from tests.parity.checkpoints import case, make_tensors, write_checkpoint
from tests.parity.engine import contract_tree, edited_overlay, load_rank, mapping_of

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module", autouse=True)
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    with contract_tree(folder / "site"):
        edited_overlay(folder / "site" / "atb_llm" / "models" / "bailing_moe")
        yield folder


def _router(tmp_path, changes):
    from atb_llm.models import get_model

    config = {key: value for key, value in {**case("lite").served, **changes}.items() if value != "absent"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return get_model(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling.*set it to null"),
        ({"use_bias": True}, "use_bias True"),
        ({"use_qkv_bias": True}, "use_qkv_bias True"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings True"),
        ({"quantize": "w8a8"}, "quantize 'w8a8'.*bf16 weights"),
        ({"quantization_config": {"group_size": 128}}, "quantization_config.*bf16 weights"),
        ({"torch_dtype": "float16"}, "torch_dtype 'float16'.*bf16"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ({"num_shared_experts": 0}, "num_shared_experts 0.*Ling-lite has 2"),
        ({"num_shared_experts": None}, "num_shared_experts None"),
        ({"num_experts": "absent"}, "num_experts as a positive whole number"),
        ({"n_routed_experts": 16}, "num_experts 8 and n_routed_experts 16"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok 9 exceeds num_experts 8"),
        ({"num_experts_per_tok": 1}, "num_experts_per_tok 1 with norm_topk_prob true"),
        (
            {"num_experts_per_tok": 1, "norm_topk_prob": "absent"},
            "num_experts_per_tok 1 with norm_topk_prob true",
        ),
        ({"moe_quantize": "w8a8_dynamic"}, "moe_quantize 'w8a8_dynamic'.*bf16 weights"),
        ({"routed_scaling_factor": 2.5}, "routed_scaling_factor 2.5.*first generation"),
        ({"topk_group": 4}, "topk_group 4.*first generation"),
        ({"num_experts_per_tok": True}, "num_experts_per_tok as a positive whole number"),
        ({"first_k_dense_replace": 3}, "first_k_dense_replace 3"),
        ({"first_k_dense_replace": 1, "intermediate_size": None}, "needs intermediate_size"),
        ({"norm_head": "yes"}, "norm_head must be true or false"),
        ({"rope_theta": 0}, "rope_theta as a positive number"),
        ({"architectures": ["BailingMoeV2ForCausalLM"]}, "BailingMoeV2ForCausalLM.*first generation"),
        ({"score_function": "sigmoid"}, "score_function 'sigmoid'.*first generation"),
        ({"use_qk_norm": True}, "use_qk_norm"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"n_group": 8}, "n_group 8"),
    ],
)
def test_config_json(tmp_path, changes, message):
    router = _router(tmp_path, changes)
    with pytest.raises(ValueError, match=message):
        _ = router.config


@pytest.mark.parametrize("silent", ["absent", None, 0])
def test_an_unstated_head_width_is_measured(tmp_path, silent):
    assert _router(tmp_path, {"head_dim": silent}).config.head_dim is None


def test_an_unused_intermediate_size_may_be_unstated(tmp_path):
    """Stock computes with it all the same."""
    assert _router(tmp_path, {"intermediate_size": None}).config.intermediate_size == 32


def test_the_names_of_the_base_models_config_are_read_too(tmp_path):
    """Upstream's config.json for Ling-plus-base has DeepSeek's names."""
    names = {"num_experts": "absent", "num_shared_experts": "absent"}
    config = _router(tmp_path, {**names, "n_routed_experts": 8, "n_shared_experts": 2}).config
    assert (config.n_routed_experts, config.n_shared_experts, config.num_experts) == (8, 2, 8)
    assert config.torch_dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("has_dp", "data parallelism"),
        ("has_moe_ep", "expert parallelism"),
        ("has_pp", "pipeline parallelism"),
        ("has_attn_cp", "context parallelism"),
        ("has_attn_inner_sp", "sequence parallelism"),
        ("has_attn_o_proj_tp", "o_proj_local_tp"),
    ],
)
def test_other_parallelism(checkpoints, kind, name):
    served, _ = checkpoints("lite")
    with pytest.raises(ValueError, match=f"{name}.*not supported"):
        load_rank(served, 0, 2, mapping=mapping_of(**{kind: True}))


def test_tensor_parallel_groups_smaller_than_the_world(checkpoints):
    from types import SimpleNamespace

    served, _ = checkpoints("lite")
    mapping = mapping_of()
    mapping.world_size, mapping.moe_tp = 4, SimpleNamespace(group_size=2)
    with pytest.raises(ValueError, match="moe_tp 2 with world size 4"):
        load_rank(served, 0, 4, mapping=mapping)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("lora_adapter", {"a": "/a"}, "LoRA"),
        ("lora_model_config", object(), "LoRA"),
        ("layerwise_disaggregated", True, "layerwiseDisaggregated"),
    ],
)
def test_engine_options(checkpoints, option, value, message):
    served, _ = checkpoints("lite")
    with pytest.raises(ValueError, match=message):
        load_rank(served, 0, 1, **{option: value})


def _served(tmp_path, name, changes=None, config=None):
    tensors = make_tensors(case(name).config)
    for key, value in (changes or {}).items():
        tensors.pop(key, None)
        if value is not None:
            tensors[key] = value
    return write_checkpoint(tmp_path / "model", {**case(name).served, **(config or {})}, tensors)


_FIRST, _SECOND = "model.layers.0.attention", "model.layers.1.attention"


def _zeros(*shape):
    return torch.zeros(shape, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({f"{_FIRST}.dense.bias": _zeros(256)}, {}, f"{_FIRST}.dense.bias, which"),
        ({f"{_SECOND}.query_key_value.bias": _zeros(384)}, {}, "query_key_value.bias, which"),
        ({f"{_FIRST}.q_norm.weight": _zeros(16)}, {}, "q_norm.weight, which"),
        ({"lm_head.weight": _zeros(1000, 256)}, {}, r"lm_head.weight has shape \[1000, 256\]"),
        ({"model.word_embeddings.weight": None}, {}, "no tensor model.word_embeddings.weight"),
        ({f"{_FIRST}.dense.weight": None}, {}, f"no tensor {_FIRST}.dense.weight"),
        ({f"{_SECOND}.dense.weight": _zeros(256, 128)}, {}, f"{_SECOND}.dense.weight has shape"),
        ({}, {"num_attention_heads": 8}, "config.json is of another model"),
        ({}, {"head_dim": 32}, "config.json says head_dim 32, the tensors say 16"),
    ],
)
def test_weights_and_config_that_contradict(tmp_path, changes, config, message):
    with pytest.raises(ValueError, match=message):
        load_rank(_served(tmp_path, "lite", changes, config), 0, 1)


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("lite", {"num_hidden_layers": 1}, "num_hidden_layers 1, the checkpoint has 2 layers"),
        ("lite", {"num_hidden_layers": 3}, "num_hidden_layers 3, the checkpoint has 2 layers"),
        ("lite", {"num_experts": 6}, "num_experts 6, the checkpoint has 8 experts in layer 0"),
        ("lite", {"num_experts": 9}, "num_experts 9, the checkpoint has 8 experts in layer 0"),
        ("lite", {"moe_intermediate_size": 16}, "moe_intermediate_size 16, and .*experts.0.gate_proj.weight"),
        ("lite", {"num_shared_experts": 1}, "num_shared_experts x moe_intermediate_size 32, and .*shared"),
        ("lite", {"first_k_dense_replace": 1}, "first_k_dense_replace 1: layer 0 is dense, .* has experts"),
        ("dense-first", {"first_k_dense_replace": 0}, "first_k_dense_replace 0: layer 0 .* has none"),
        ("dense-first", {"first_k_dense_replace": 2}, "first_k_dense_replace 2: layer 1 is dense"),
        ("dense-first", {"intermediate_size": 32}, "intermediate_size 32, and model.layers.0.mlp.gate_proj"),
    ],
)
def test_a_config_of_other_layers_or_experts_than_the_checkpoint_s(tmp_path, name, config, message):
    with pytest.raises(ValueError, match=message):
        load_rank(_served(tmp_path, name, config=config), 0, 1)


def test_a_checkpoint_that_lacks_one_of_its_experts(tmp_path):
    lost = {f"model.layers.1.mlp.experts.3.{kind}_proj.weight": None for kind in ("gate", "up", "down")}
    with pytest.raises(ValueError, match="num_experts 8, the checkpoint has 7 experts in layer 1"):
        load_rank(_served(tmp_path, "lite", lost), 0, 1)


@pytest.mark.parametrize("key", ["vocab_size", "moe_intermediate_size"])
def test_uneven_parts(tmp_path, key):
    size = {"vocab_size": 1023, "moe_intermediate_size": 33}[key]
    config = {**case("lite").config, key: size, "eos_token_id": 1, "pad_token_id": 1}
    served = write_checkpoint(tmp_path / "model", config, make_tensors(config))
    with pytest.raises(ValueError, match=f"{key} {size} does not divide by 2 ranks"):
        load_rank(served, 0, 2)


def test_the_safetensors_of_several_files_are_read(tmp_path, checkpoints):
    """As published: sharded, the head in the last file."""
    from tests.parity.engine import run_ranks, worst_difference

    tensors = make_tensors(case("lite").config)
    folder = write_checkpoint(tmp_path / "model", case("lite").served, {})
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    for part, chosen in enumerate((names[:20], names[20:])):
        save_file({name: tensors[name] for name in chosen}, folder / f"model-{part}.safetensors")
    found = run_ranks([load_rank(folder, rank, 2) for rank in range(2)])
    assert worst_difference(found, checkpoints("lite")[1].logits) <= case("lite").tolerance
