"""Numbers that generation_config.json and config.json write as text, which end a start of MindIE 3.0.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lingctl.errors import ConfigurationError
from lingctl.mindie.files.generation_config import need_numbers, numbers_as_text
from lingctl.mindie.files.model_config import loadable_model_config
from lingctl.sandbox.engine.json_library import JsonError
from lingctl.sandbox.engine.start.startup import _number
from tests.field import judge, lingctl


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ({"top_k": 20, "top_p": 0.95, "temperature": 0.6, "do_sample": True, "eos_token_id": [1, 2]}, []),
        ({"top_k": "20"}, ["top_k"]),
        ({"top_k": "20abc"}, ["top_k"]),
        ({"top_k": " -1"}, ["top_k"]),
        ({"top_k": "twenty"}, []),
        ({"top_k": ""}, []),
        ({"top_k": None}, []),
        (
            {"temperature": "0.6", "top_p": ".95", "repetition_penalty": "1e0"},
            ["temperature", "top_p", "repetition"],
        ),
        ({"eos_token_id": ["126081"]}, ["eos_token_id"]),
        ({"eos_token_id": "126081"}, ["eos_token_id"]),
        ({"transformers_version": "4.40", "cache_implementation": "static"}, []),
        ({"temperature": "1.0.0"}, []),
    ],
)
def test_a_number_in_quotes_is_found_by_its_key(document: dict[str, Any], keys: list[str]) -> None:
    found = list(numbers_as_text(document))
    assert len(found) == len(keys)
    assert all(text.startswith(key) for text, key in zip(found, keys, strict=True))
    if keys:
        with pytest.raises(ConfigurationError) as caught:
            need_numbers(document, "generation_config.json")
        assert caught.value.code == "number-as-text"
        assert keys[0] in caught.value.evidence
    else:
        need_numbers(document, "generation_config.json")


def test_a_model_whose_config_writes_numbers_as_text_is_refused() -> None:
    config = {
        "architectures": ["BailingMoeForCausalLM"],
        "model_type": "bailing_moe",
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "transformers_version": "4.36",
    }
    loadable_model_config({**config, "vocab_size": 126464})
    with pytest.raises(ConfigurationError) as caught:
        loadable_model_config({**config, "vocab_size": "126464"})
    assert (caught.value.code, "vocab_size" in caught.value.evidence) == ("number-as-text", True)


@pytest.mark.parametrize(("value", "refused"), [("20", True), ("20x", True), ("x20", False), (20, False)])
def test_the_emulated_server_takes_no_such_text(value: object, refused: bool, tmp_path: Path) -> None:
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps({"top_k": value}))
    if refused:
        with pytest.raises(JsonError, match="type must be number, but is string"):
            _number(path, "top_k", 1000)
    else:
        assert _number(path, "top_k", 1000) == (value if isinstance(value, int) else 1000)
    assert bool(list(numbers_as_text({"top_k": value}))) is refused


def test_a_generation_config_is_judged_by_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({"do_sample": True, "top_k": "20", "top_p": 0.9}))
    wants = ["refuses this generation config", 'top_k is "20"', "fix: take the quotes off"]
    assert not judge({"rc": [3], "wants": wants}, lingctl("render", "--check", file, "--mindie", "3.0.0"))
    file.write_text(json.dumps({"do_sample": True, "top_k": 20, "top_p": 0.9}))
    assert not judge({"rc": [0], "wants": ["accepts"]}, lingctl("render", "--check", file))
