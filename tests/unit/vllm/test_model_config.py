"""What would start, be healthy and answer rubbish is corrected or refused before the start."""

from __future__ import annotations

import pytest

from lingctl.errors import ConfigurationError
from lingctl.vllm.files.generation_config import need_sampling_numbers
from lingctl.vllm.files.model_config import vllm_model_config
from lingctl.vllm.profile import vllm_profile_for
from tests.unit.vllm.samples import LITE_CONFIG, PLUS_CONFIG

TODAY, APPLIES = vllm_profile_for("0.23.0"), vllm_profile_for("0.32.0")


def test_a_config_that_says_everything_is_left_as_it_is():
    assert vllm_model_config(LITE_CONFIG, APPLIES, rows=3072, columns=2048) == (LITE_CONFIG, [])


@pytest.mark.parametrize("stated", [None, 0, "left out"])
def test_a_width_of_heads_that_is_not_stated_is_taken_from_the_weights(stated):
    config = {**PLUS_CONFIG, "head_dim": stated}
    if stated == "left out":
        del config["head_dim"]
    found, reasons = vllm_model_config(config, APPLIES, rows=(56 + 16) * 128, columns=56 * 128)
    assert found["head_dim"] == 128
    assert len(reasons) == 1 and "rubbish" in reasons[0]


@pytest.mark.parametrize("stated", [None, 0])
def test_a_width_that_follows_from_the_other_numbers_is_left_unsaid(stated):
    config = LITE_CONFIG | {"head_dim": stated}
    assert vllm_model_config(config, APPLIES, rows=(16 + 8) * 128, columns=2048) == (config, [])


def test_a_width_that_contradicts_the_weights_is_refused():
    with pytest.raises(ConfigurationError) as told:
        vllm_model_config(PLUS_CONFIG | {"head_dim": 96}, APPLIES, rows=(56 + 16) * 128, columns=56 * 128)
    assert told.value.code == "model-config-contradicts-weights"


def test_other_names_of_the_experts_are_corrected():
    config = dict(PLUS_CONFIG)
    config["n_routed_experts"], config["n_shared_experts"] = config.pop("num_experts"), 1
    del config["num_shared_experts"]
    found, reasons = vllm_model_config(config, APPLIES)
    assert (found["num_experts"], found["num_shared_experts"]) == (64, 1)
    assert len(reasons) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"num_experts": None}, "model-config-incomplete"),
        ({"num_shared_experts": None}, "model-config-incomplete"),
        ({"num_hidden_layers": "28"}, "model-config-incomplete"),
        ({"num_key_value_heads": 5}, "model-config-contradicts-weights"),
        ({"num_experts_per_tok": 1}, "model-config-one-expert"),
        ({"hidden_act": "gelu"}, "vllm-activation"),
        ({"architectures": ["BailingMoeV2ForCausalLM"]}, "model-family-unsupported"),
        ({"quantization_config": {"quant_method": "gptq"}}, "model-family-unsupported"),
    ],
)
def test_what_it_would_take_for_something_else_is_refused(change, code):
    with pytest.raises(ConfigurationError) as told:
        vllm_model_config(LITE_CONFIG | change, APPLIES)
    assert told.value.code == code


def test_a_normalised_head_is_refused_where_this_version_ignores_it():
    with pytest.raises(ConfigurationError) as told:
        vllm_model_config(LITE_CONFIG, TODAY)
    assert told.value.code == "vllm-norm-head" and "0.26" in told.value.what
    for harmless in (False, None):
        assert vllm_model_config(LITE_CONFIG | {"norm_head": harmless}, TODAY)[1] == []


@pytest.mark.parametrize("wrong", [{"temperature": "0.7"}, {"top_k": "50"}, {"max_new_tokens": True}])
def test_defaults_that_are_no_numbers_are_refused(wrong):
    with pytest.raises(ConfigurationError) as told:
        need_sampling_numbers({"top_p": 0.8, **wrong})
    assert told.value.code == "number-as-text" and next(iter(wrong)) in told.value.evidence


def test_defaults_that_are_numbers_or_left_out_are_taken():
    need_sampling_numbers({"temperature": 0.7, "top_k": 50, "top_p": None, "transformers_version": "4.36.0"})
