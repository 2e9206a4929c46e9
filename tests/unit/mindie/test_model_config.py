"""A model's config.json: corrected with the reason, or refused by the name of its family."""

from __future__ import annotations

import pytest

from lingctl.errors import ConfigurationError
from lingctl.inventory.models.catalogue import LITE, PLUS
from lingctl.inventory.models.config_json import shape_of
from lingctl.mindie.files.model_config import loadable_model_config

LITE_CONFIG = {
    "architectures": ["BailingMoeForCausalLM"],
    "model_type": "bailing_moe",
    "hidden_size": 2048,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "num_experts": 64,
    "num_experts_per_tok": 6,
    "num_shared_experts": 2,
    "moe_intermediate_size": 1408,
    "vocab_size": 126464,
    "rope_scaling": None,
    "norm_head": True,
}
PLUS_CONFIG = LITE_CONFIG | {
    "hidden_size": 5376,
    "num_hidden_layers": 88,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "num_experts_per_tok": 4,
    "num_shared_experts": 1,
    "moe_intermediate_size": 3072,
}


@pytest.mark.parametrize(("config", "shape"), [(LITE_CONFIG, LITE), (PLUS_CONFIG, PLUS)])
def test_head_dim_is_stated_and_nothing_else_touched(config, shape):
    wanted, reasons = loadable_model_config(config)
    assert wanted == config | {"head_dim": 128}
    assert len(reasons) == 1
    assert shape_of(wanted) == shape
    assert loadable_model_config(wanted) == (wanted, [])


@pytest.mark.parametrize("value", [0, None])
def test_a_head_dim_that_means_unset_is_replaced(value):
    wanted, reasons = loadable_model_config(LITE_CONFIG | {"head_dim": value})
    assert wanted["head_dim"] == 128
    assert str(value) in reasons[0]


def test_expert_keys_get_the_names_that_the_loader_reads():
    config = {k: v for k, v in PLUS_CONFIG.items() if k not in ("num_experts", "num_shared_experts")}
    wanted, reasons = loadable_model_config(config | {"n_routed_experts": 64, "n_shared_experts": 1})
    assert (wanted["num_experts"], wanted["num_shared_experts"]) == (64, 1)
    assert "n_routed_experts" not in wanted and len(reasons) == 3


def test_rope_scaling_goes_with_the_reason():
    wanted, reasons = loadable_model_config(LITE_CONFIG | {"rope_scaling": {"type": "yarn", "factor": 4.0}})
    assert wanted["rope_scaling"] is None
    assert any("YaRN" in reason for reason in reasons)


def test_norm_head_stays_as_published():
    assert loadable_model_config(LITE_CONFIG | {"norm_head": False})[0]["norm_head"] is False


@pytest.mark.parametrize(
    ("rows", "columns", "width"),
    [(9216, 7168, 128), (56 * 96 + 16 * 96, 56 * 96, 96)],
)
def test_the_tensors_decide_the_width(rows, columns, width):
    assert loadable_model_config(PLUS_CONFIG, rows=rows, columns=columns)[0]["head_dim"] == width


@pytest.mark.parametrize(
    ("config", "rows", "columns"),
    [
        (PLUS_CONFIG, 6912, 7168),
        (PLUS_CONFIG | {"head_dim": 96}, 9216, 7168),
        (LITE_CONFIG, 9216, 7168),
    ],
)
def test_weights_of_another_release_are_refused(config, rows, columns):
    with pytest.raises(ConfigurationError) as caught:
        loadable_model_config(config, rows=rows, columns=columns)
    assert caught.value.code == "model-config-contradicts-weights"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"architectures": ["BailingMoeV2ForCausalLM"]}, "Ling 2.0 (BailingMoeV2)"),
        ({"architectures": ["BailingMoeV2ForCausalLM"], "model_type": "bailing_moe_v2"}, "Ling 2.0"),
        ({"architectures": ["BailingMoeV2_5ForCausalLM"], "model_type": "bailing_hybrid"}, "Ling 2"),
        ({"architectures": ["X"], "model_type": "bailing_hybrid"}, "Ling 2.5 and later (bailing_hybrid)"),
        ({"architectures": ["BailingMoeLinearForCausalLM"]}, "Ring linear"),
        ({"architectures": ["DeepseekForCausalLM"], "model_type": "deepseek"}, "this architecture"),
        ({"architectures": []}, "this architecture"),
        ({"architectures": None, "model_type": None}, "this architecture"),
        ({"score_function": "sigmoid"}, "score_function"),
        ({"use_qk_norm": True}, "use_qk_norm"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"topk_group": 4}, "topk_group"),
        ({"routed_scaling_factor": 2.5}, "routed_scaling_factor"),
        ({"multi_gate": True}, "multi_gate"),
        ({"quantize": "w8a8"}, "quantised"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
    ],
)
def test_other_families_are_refused_by_name(changes, word):
    with pytest.raises(ConfigurationError) as caught:
        loadable_model_config(LITE_CONFIG | changes)
    assert caught.value.code == "model-family-unsupported"
    assert word in caught.value.what


@pytest.mark.parametrize("norm", [{"norm_topk_prob": True}, {"norm_topk_prob": None}, {}])
def test_one_expert_a_token_is_refused_unless_its_weight_is_left_as_it_is(norm):
    one = LITE_CONFIG | {"num_experts_per_tok": 1}
    with pytest.raises(ConfigurationError) as caught:
        loadable_model_config(one | norm)
    assert caught.value.code == "model-config-one-expert"
    assert caught.value.remedy
    loadable_model_config(one | {"norm_topk_prob": False})


@pytest.mark.parametrize("key", ["num_attention_heads", "hidden_size"])
def test_a_missing_number_is_named(key):
    config = {k: v for k, v in LITE_CONFIG.items() if k != key}
    with pytest.raises(ConfigurationError) as caught:
        loadable_model_config(config)
    assert key in str(caught.value) + caught.value.evidence
