"""A window beyond the model's own: asked for in hosts.yaml alone, rendered as the version takes it, told."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from lingctl.engine.capacity import capacity_findings
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.flows.files.capacity import Wishes, answer_capacity
from lingctl.inventory.models.catalogue import MODELS, find_model
from lingctl.mindie.capacity.verdict import judge as mindie_judge
from tests.unit.vllm.samples import LITE_CONFIG, PLUS_CONFIG, start_line, vllm_cluster

LITE_15 = LITE_CONFIG | {"max_position_embeddings": 32768, "norm_head": False}


def asking(tokens: int, model: str = "Ling-lite-1.5", version: str = "0.23.0", nodes: int = 1, **more: Any):
    return vllm_cluster(
        model, nodes, {"name": "vllm", "version": version}, serving={"max_seq_len": tokens}, **more
    )


def overrides(line: str) -> dict[str, Any] | None:
    words = shlex.split(line)
    return json.loads(words[words.index("--hf-overrides") + 1]) if "--hf-overrides" in words else None


@pytest.mark.parametrize(
    ("model", "config", "tokens", "window", "factor"),
    [
        ("Ling-lite-1.5", LITE_15, 131072, 32768, 4),
        ("Ling-lite-1.5", LITE_15, 65536, 32768, 2),
        ("Ling-lite-1.5", LITE_15, 32769, 32768, 2),
        ("Ling-lite-1.5", LITE_15, 98304, 32768, 3),
        ("Ling-lite", LITE_CONFIG, 65536, 16384, 4),
        ("Ling-plus", PLUS_CONFIG, 32768, 16384, 2),
        ("Ling-lite-1.5", None, 131072, 32768, 4),  # before the weights are there
        ("Ling-plus", None, 65536, 16384, 4),
    ],
)
def test_positions_are_stretched_from_the_models_own_window(model, config, tokens, window, factor):
    line = start_line(asking(tokens, model), config=config)
    assert f"--max-model-len {tokens} " in line
    assert overrides(line) == {
        "max_position_embeddings": window * factor,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 600000.0,
            "factor": float(factor),
            "original_max_position_embeddings": window,
        },
    }


@pytest.mark.parametrize("tokens", [32768, 4096])
def test_nothing_is_stretched_that_fits(tokens: int):
    cluster = asking(tokens)
    assert overrides(start_line(cluster, config=LITE_15)) is None
    assert not [text for text in engine_of(cluster).remarks(cluster) if "YaRN" in text]


def test_the_window_is_the_one_that_config_json_says():
    """A model that was taken for another one, or trained on."""
    assert (
        overrides(start_line(asking(65536, "Ling-lite"), config=LITE_15))["rope_parameters"]["factor"] == 2.0
    )
    assert overrides(start_line(asking(32768, "Ling-lite"), config=LITE_15)) is None


@pytest.mark.parametrize(("version", "key"), [("0.11.0", "rope_scaling"), ("0.13.0", "rope_parameters")])
def test_each_version_is_told_by_the_key_that_it_reads(version: str, key: str):
    four_cards = [{"address": "10.0.0.1", "devices": [0, 1, 2, 3]}]
    told = overrides(start_line(asking(131072, version=version, node_list=four_cards), config=LITE_15))
    assert told is not None and set(told) == {"max_position_embeddings", key}
    assert told[key]["rope_theta"] == 600000.0
    assert told[key].get("type") == ("yarn" if key == "rope_scaling" else None)


def test_every_node_is_told_the_same():
    cluster = asking(65536, "Ling-plus", nodes=2)
    first, second = (overrides(start_line(cluster, number, PLUS_CONFIG)) for number in (0, 1))
    assert first == second is not None


def test_more_than_four_times_is_refused():
    with pytest.raises(ConfigurationError) as caught:
        start_line(asking(131073), config=LITE_15)
    assert caught.value.code == "vllm-window" and "131072" in caught.value.remedy


def test_the_plan_says_what_it_costs_and_where_the_limits_are():
    cluster = asking(131072)
    (told,) = (text for text in engine_of(cluster).remarks(cluster) if "YaRN" in text)
    for words in ("factor 4 over 32768 tokens", "short ones", "MindIE serves no more", "131072 is the most"):
        assert words in told
    shown = {one.name: one.value for one in engine_of(cluster).shown(cluster, {})}
    assert shown["serving.max_seq_len"] == "131072"
    assert shown["positions"] == "YaRN, factor 4 over 32768 tokens"


def test_a_window_that_the_makers_do_not_name_is_told():
    coder = asking(32768, "Ling-Coder-lite")
    assert any("no window beyond their own" in text for text in engine_of(coder).remarks(coder))
    lite = asking(65536, "Ling-lite")
    assert not any("makers" in text for text in engine_of(lite).remarks(lite))
    assert {model.extended for model in MODELS} == {16384, 65536, 131072}


SEED = {"factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn"}


@pytest.mark.parametrize(
    ("given", "window"),
    [
        ({"rope_scaling": SEED}, 32768),
        ({"rope_scaling": SEED, "max_position_embeddings": 131072}, 32768),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 32768),
        ({"rope_parameters": {**SEED, "rope_type": "yarn", "rope_theta": 600000}}, 32768),
        ({"rope_scaling": SEED, "max_position_embeddings": 16384}, 16384),
    ],
)
def test_what_the_readme_puts_into_config_json_is_taken_out_and_told(given, window: int):
    engine = engine_of(asking(131072))
    config, reasons = engine.model_config(LITE_15 | given)
    assert any("removed" in reason and "serving.max_seq_len" in reason for reason in reasons)
    assert config["max_position_embeddings"] == window
    assert config.get("rope_scaling") is None
    assert (config.get("rope_parameters") or {"rope_type": "default"})["rope_type"] == "default"
    assert overrides(start_line(asking(65536), config=config))["rope_parameters"]["rope_theta"] == 600000.0


@pytest.mark.parametrize("given", [{}, {"rope_scaling": None}, {"rope_parameters": {"rope_type": "default"}}])
def test_a_config_without_stretched_positions_is_left_as_it_is(given):
    assert engine_of(asking(131072)).model_config(LITE_15 | given)[1] == []


@pytest.mark.parametrize(
    ("given", "theta"),
    [
        ({"rope_theta": 1234}, 1234.0),
        ({"rope_theta": ..., "rope_parameters": {"rope_type": "default", "rope_theta": 5.0}}, 5.0),
        ({"rope_theta": ...}, 10000.0),  # what its configuration class has then
    ],
)
def test_the_base_of_the_rotary_embedding_is_stated(given, theta: float):
    config = {name: value for name, value in (LITE_15 | given).items() if value is not ...}
    assert overrides(start_line(asking(131072), config=config))["rope_parameters"]["rope_theta"] == theta


@pytest.mark.parametrize("theta", ["600000", True, 0, [1]])
def test_a_base_that_is_none_is_refused(theta):
    with pytest.raises(ConfigurationError) as caught:
        start_line(asking(131072), config=LITE_15 | {"rope_theta": theta})
    assert caught.value.code == "model-config-rope"


def test_capacity_counts_the_longer_window():
    memory = {"node1": dict.fromkeys(range(8), 65536)}
    cluster = asking(131072)
    (found,) = capacity_findings(engine_of(cluster).capacity, cluster, memory)
    assert found.verdict is Verdict.PASS and "requests of 131072 tokens" in found.message
    assert "beyond its own 32768 by YaRN with factor 4" in found.message
    cluster = asking(131073)
    (found,) = capacity_findings(engine_of(cluster).capacity, cluster, memory)
    assert found.verdict is Verdict.FAILURE and "131072" in found.remedy


def test_capacity_does_not_shorten_what_hosts_yaml_states():
    model = find_model("Ling-lite-1.5")
    vllm = answer_capacity(model, Wishes(), asking(131072))
    assert (vllm.load.sequence, vllm.finding.verdict) == (131072, Verdict.PASS)
    mindie = vllm_cluster("Ling-lite-1.5", engine="mindie", serving={"max_seq_len": 131072})
    refused = answer_capacity(model, Wishes(), mindie)
    assert (refused.load.sequence, refused.finding.verdict) == (131072, Verdict.FAILURE)
    assert "MindIE does not extend it" in refused.finding.message
    assert "vLLM" in refused.finding.remedy
    assert mindie_judge(model.shape, refused.found, refused.load).verdict is Verdict.FAILURE


@pytest.mark.parametrize("tokens", [32768, 65536, 131072])
def test_a_proof_knows_the_positions_that_the_service_was_told(tokens):
    cluster = asking(tokens)
    told = engine_of(cluster).told_otherwise(cluster)
    line = overrides(start_line(cluster, config=LITE_15)) or {}
    assert told.get("max_position_embeddings") == line.get("max_position_embeddings")
    rope, theirs = told.get("rope_parameters", {}), dict(line.get("rope_parameters", {}))
    assert theirs.pop("rope_theta", 600000.0) == LITE_15["rope_theta"]
    assert rope.get("type") == theirs.pop("rope_type", None)
    assert {name: value for name, value in rope.items() if name != "type"} == theirs
