"""``lingctl render``, ``capacity`` and ``models`` as they are typed, without any node."""

from __future__ import annotations

import json
import os
import stat

import pytest

from tests import forked

HOSTS = """\
name: demo
model: {model}
mindie: "{mindie}"
nodes:
{nodes}
"""


def write_hosts(folder, model="Ling-lite", mindie="3.0.0", nodes=1, more=""):
    listed = "\n".join(f"  - {{address: 127.0.0.{n}, name: node{n}}}" for n in range(1, nodes + 1))
    path = folder / "hosts.yaml"
    path.write_text(HOSTS.format(model=model, mindie=mindie, nodes=listed) + more)
    return path


def lingctl(*words, cwd, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
    return forked.run(*words, cwd=cwd, env={**clean, **environment}, timeout=120)


def test_a_folder_gets_every_file_with_its_mode(tmp_path):
    write_hosts(tmp_path)
    done = lingctl("render", "all", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "out/node1").iterdir()}
    assert modes == {
        "config.json": 0o640,
        "environment.sh": 0o640,
        "start.sh": 0o750,
        "container.sh": 0o750,
    }
    assert done.stdout == ""
    assert lingctl("render", "--check", "out/node1/config.json", cwd=tmp_path).returncode == 0
    again = lingctl("render", "all", "-o", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_one_file_goes_to_standard_output_as_it_is(tmp_path):
    write_hosts(tmp_path)
    done = lingctl("render", "config", cwd=tmp_path)
    assert json.loads(done.stdout)["BackendConfig"]["npuDeviceIds"] == [[0, 1, 2, 3, 4, 5, 6, 7]]
    for name, word in (("environment", "export "), ("container", "docker run")):
        part = lingctl("render", name, cwd=tmp_path)
        assert part.returncode == 0 and word in part.stdout


def test_json_is_one_document(tmp_path):
    write_hosts(tmp_path, "Ling-plus", nodes=2)
    document = json.loads(lingctl("render", "config", "--json", cwd=tmp_path).stdout)
    assert (document["document"], document["version"]) == ("render", 1)
    assert [file["node"] for file in document["files"]] == ["node1", "node2"]


def test_the_weights_of_a_conversion_can_be_named(tmp_path):
    write_hosts(tmp_path)
    done = lingctl("render", "config", "--weights", "/root/models/Ling_lite_safetensor", cwd=tmp_path)
    model = json.loads(done.stdout)["BackendConfig"]["ModelDeployConfig"]["ModelConfig"][0]
    assert model["modelWeightPath"] == "/home/HwHiAiUser/Ascend/Ling_lite_safetensor"
    assert done.stderr == ""


def test_a_model_config_is_corrected_with_the_reason(tmp_path):
    write_hosts(tmp_path)
    config = {
        "architectures": ["BailingMoeForCausalLM"],
        "model_type": "bailing_moe",
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
    }
    (tmp_path / "downloaded.json").write_text(json.dumps(config))
    done = lingctl("render", "model-config", "--model-config", "downloaded.json", cwd=tmp_path)
    assert json.loads(done.stdout) == config | {"head_dim": 128}
    assert "head_dim stated as 128" in done.stderr


def test_show_tells_where_each_value_is_from(tmp_path):
    write_hosts(tmp_path, more="serving: {port: 2025}\n")
    done = lingctl(
        "render", "--show", "--json", "--mindie", "1.0.0", cwd=tmp_path, LINGCTL_IMAGE="my/image:1"
    )
    values = {value["name"]: value for value in json.loads(done.stdout)["values"]}
    assert values["mindie"]["source"] == "flag --mindie"
    assert values["container.image"] | {"node": ""} == {
        "node": "",
        "name": "container.image",
        "value": "my/image:1",
        "source": "LINGCTL_IMAGE",
    }
    assert values["serving.port"]["source"] == "hosts.yaml"
    assert values["serving.max_seq_len"]["source"] == "preset"
    assert values["HTTPS"]["value"].startswith("off")


def test_one_node_has_no_rank_table(tmp_path):
    write_hosts(tmp_path)
    done = lingctl("render", "ranktable", cwd=tmp_path)
    assert done.returncode == 2 and "one node needs no rank table" in done.stderr


def test_a_rank_table_needs_the_nodes_or_saved_facts(tmp_path):
    write_hosts(tmp_path, "Ling-plus", nodes=2, more="ssh: {port: 1, connect_timeout: 1}\n")
    done = lingctl("render", "ranktable", cwd=tmp_path)
    assert done.returncode == 4
    none = lingctl("render", "ranktable", "--from", "nowhere", cwd=tmp_path)
    assert none.returncode == 2 and "Traceback" not in none.stderr


def test_unequal_device_lists_are_refused_with_the_reason(tmp_path):
    path = tmp_path / "hosts.yaml"
    nodes = "  - {address: 10.0.0.1}\n  - {address: 10.0.0.2, devices: [0, 1, 2, 3]}"
    path.write_text(HOSTS.format(model="Ling-plus", mindie="3.0.0", nodes=nodes))
    done = lingctl("render", "config", cwd=tmp_path)
    assert done.returncode == 2 and "unequal device lists" in done.stderr


def test_check_names_field_value_rule_and_remedy(tmp_path):
    write_hosts(tmp_path)
    document = json.loads(lingctl("render", "config", cwd=tmp_path).stdout)
    document["BackendConfig"]["ScheduleConfig"]["maxBatchSize"] = 0
    (tmp_path / "bad.json").write_text(json.dumps(document))
    done = lingctl("render", "--check", "bad.json", cwd=tmp_path)
    assert done.returncode == 3
    assert "BackendConfig.ScheduleConfig.maxBatchSize is 0: must be 1 to 819200" in done.stdout
    assert "schedule_config.cpp" in done.stdout and "fix: set maxBatchSize" in done.stdout


def test_check_without_a_version_judges_them_all(tmp_path):
    write_hosts(tmp_path, mindie="1.0.0")
    (tmp_path / "v1.json").write_text(lingctl("render", "config", cwd=tmp_path).stdout)
    (tmp_path / "hosts.yaml").unlink()
    done = lingctl("render", "--check", "v1.json", "--json", cwd=tmp_path)
    accepted = {one["version"]: one["accepted"] for one in json.loads(done.stdout)["checks"]}
    assert accepted["1.0.0"] and not accepted["3.0.0"]
    assert lingctl("render", "--check", "v1.json", "--mindie", "1.0.0", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{}", "neither"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"[1]", "one JSON object"),
        (None, "cannot"),
    ],
)
def test_a_file_that_cannot_be_judged_is_an_error_in_words(tmp_path, content, word):
    if content is not None:
        (tmp_path / "file.json").write_bytes(content)
    done = lingctl("render", "--check", "file.json", cwd=tmp_path)
    assert done.returncode == 2
    assert word in done.stderr and "Traceback" not in done.stderr


def test_capacity_answers_offline(tmp_path):
    fits = lingctl("capacity", "Ling-plus", "--devices", "16", "--hbm", "64", cwd=tmp_path)
    assert fits.returncode == 0 and "token budget" in fits.stdout
    lacks = lingctl("capacity", "Ling-plus", "--devices", "8", "--json", cwd=tmp_path)
    assert lacks.returncode == 3
    document = json.loads(lacks.stdout)
    assert document["estimate"]["fits"] is False and "16 cards" in document["finding"]["remedy"]
    assert lingctl("capacity", cwd=tmp_path).returncode == 2
    write_hosts(tmp_path, "Ling-lite")
    assert "8 of 64 GiB" in lingctl("capacity", cwd=tmp_path).stdout


def test_models_lists_the_catalogue(tmp_path):
    document = json.loads(lingctl("models", "--json", cwd=tmp_path).stdout)
    names = [model["name"] for model in document["models"]]
    assert {"Ling-lite", "Ling-plus-base", "Ling-lite-1.5-2507"} <= set(names)
    assert "Ling-plus" in lingctl("models", cwd=tmp_path).stdout
