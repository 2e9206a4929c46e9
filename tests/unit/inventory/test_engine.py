"""``engine`` in hosts.yaml: by name, with settings, in agreement with ``mindie``; and typed."""

from __future__ import annotations

import pytest

from lingctl.engines import engine_at, engine_of
from lingctl.errors import ConfigurationError, UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.starter import starter_hosts
from lingctl.inventory.typed_engine import engine_typed, one_engine, with_typed_engine
from tests.unit.inventory.test_load import mistake, read

HEAD = "name: ling\nmodel: Ling-lite\nnodes: [{address: 10.0.0.1}]\n"


def engine(text: str = "") -> tuple[str, str]:
    about = engine_of(read(HEAD + text)).about
    return about.name, about.version


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("", "mindie", "1.0.0"),
        ('mindie: "3.0.0"', "mindie", "3.0.0"),
        ("engine: mindie", "mindie", "1.0.0"),
        ('engine: mindie\nmindie: "3.0.0"', "mindie", "3.0.0"),
        ('engine: {name: mindie, version: "3.0.0"}', "mindie", "3.0.0"),
        ('engine: {name: mindie, version: "3.0.0"}\nmindie: "3.0.0"', "mindie", "3.0.0"),
        ('engine: {version: "3.0.0"}', "mindie", "3.0.0"),
        ("engine: vllm", "vllm", "0.23.0"),
        ('engine: {name: vllm, version: "0.18.0"}', "vllm", "0.18.0"),
    ],
)
def test_every_way_to_name_an_engine(text, name, version):
    assert engine(text) == (name, version)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('engine: vllm\nmindie: "3.0.0"', "contradict each other"),
        ('engine: vllm\nmindie: "1.0.0"', "contradict each other"),
        ('engine: {name: mindie, version: "3.0.0"}\nmindie: "1.0.0"', "contradict each other"),
        ("engine: {name: mindie, parallel: data}", "parallel is vLLM's"),
        ("engine: {name: mindie, eager: false}", "eager is vLLM's"),
        ("engine: sglang", "engine"),
        ("engine: {name: vllm, version: 0.23}", "engine.version"),
        ("engine: {name: vllm, ray_address: '10.0.0.1:6379'}", "distributed: ray"),
        ("engine: {name: vllm, distributed: ray, ray_address: 10.0.0.1}", "engine.ray_address"),
        ("engine: [vllm]", "engine"),
        ('vllm: "0.23.0"', "unknown key 'vllm'"),
    ],
)
def test_what_contradicts_itself_or_is_none_is_refused_with_its_place(text, word):
    error = mistake(HEAD + text)
    assert word in error.what
    assert error.where.startswith("hosts.yaml:") and error.remedy


def test_a_key_that_looks_alike_is_answered_with_the_right_one():
    assert 'engine: {name: vllm, version: "VERSION"}' in mistake(HEAD + 'vllm: "0.23.0"').remedy


def test_an_engine_typed_keeps_the_settings_of_hosts_yaml_where_it_is_the_same():
    cluster = read(HEAD + "engine: {name: vllm, hardware: a3}")
    typed = with_typed_engine(cluster, "vllm:0.18.0")
    assert (typed.engine.hardware, typed.engine.version) == ("a3", "0.18.0")
    assert engine_of(with_typed_engine(cluster, "mindie:3.0.0")).about.title == "MindIE"
    assert with_typed_engine(cluster, "mindie:3.0.0").mindie == "3.0.0"
    assert with_typed_engine(cluster, "") is cluster
    for wrong in ("sglang", "vllm:", "vllm:x"):
        if wrong == "vllm:":
            assert engine_typed(wrong).version is None
            continue
        with pytest.raises(UsageError, match="is no engine"):
            engine_typed(wrong)


def test_a_cluster_is_served_by_another_engine_and_by_the_first_again():
    cluster: Cluster = read(HEAD + 'mindie: "3.0.0"')
    other = cluster.served_by(EngineChoice(name="vllm"))
    assert engine_of(other).about.name == "vllm"
    assert engine_of(other.served_by(cluster.chosen_engine)).about.version == "3.0.0"


def test_too_old_a_version_is_refused_when_the_engine_is_asked_for():
    with pytest.raises(ConfigurationError, match="too old"):
        engine('engine: {name: vllm, version: "0.9.1"}')


def test_the_starter_file_names_the_engine_that_was_asked_for():
    wanted = {"name": "ling", "model": "Ling-lite", "mindie": "1.0.0", "nodes": ["10.0.0.1"]}
    text = starter_hosts(**wanted, engine=EngineChoice(name="vllm", version="0.18.0"))
    assert engine_of(read(text)).about.version == "0.18.0"
    block = text[text.index("engine:\n") :].split("\n\n")[0]
    block = block.replace("\n  # ", "\n  ").replace("distributed: mp", "distributed: ray")
    settings = read(HEAD + block).engine.model_fields_set
    assert settings == set(EngineChoice.model_fields)
    old = starter_hosts(**wanted, engine=EngineChoice(name="mindie", version="3.0.0"))
    assert 'mindie: "3.0.0"' in old and "\nengine:" not in old


def test_one_engine_is_typed_and_a_text_that_is_no_version_is_told_as_such():
    assert (one_engine("3.0.0", ""), one_engine("", "vllm"), one_engine("", "")) == (
        "mindie:3.0.0",
        "vllm",
        "",
    )
    with pytest.raises(UsageError, match="an engine each"):
        one_engine("3.0.0", "vllm")
    with pytest.raises(ConfigurationError, match="no version of MindIE"):
        engine_at("one")
