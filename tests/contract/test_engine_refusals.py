"""A start that cannot be good ends in the real words, or the documents', with its exit status and no service.

3.0.0 refuses with 137, and ends with 134 where a worker's Python fails or an executor gives up (seen); of
1.0.0 documents name 137 alone.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from tests.engine_node import EngineNode, address, copied, edit_json, join_world, rank_table, tiny

OLD, NEW = "1.0.0", "3.0.0"
VERSIONS = (OLD, NEW)
# Where loading fails.
FAILED = {OLD: 137, NEW: 134}


@pytest.fixture
def make(tmp_path):
    """Makes nodes, and ends them."""
    nodes = []

    def make(version=NEW, model="lite", number=20, weights=None, cards=8, overlay=True):
        folder = tmp_path / f"node{len(nodes)}"
        node = EngineNode(folder, version, weights or tiny(model), address(number + len(nodes)), cards)
        if overlay:
            node.add_overlay()
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_configuration(make, version):
    node = make(version)
    node.configure(maxIterTimes=0)
    said = node.refused()
    assert "The value of ScheduleParam.maxIterTimes can not be 0." in said
    last = said.splitlines()[-1]
    if version == OLD:
        assert last == "ERR: Failed to init endpoint! Please check the service log or console output."
    else:
        assert "ConfigManager init exception: [ConfigManager] Checking Config Failed" in said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_configuration_that_others_may_read(make, version):
    node = make(version)
    node.config_path.chmod(0o644)
    assert "Check path: config.json failed, by: Check Other group permission failed" in node.refused()


@pytest.mark.skipif(os.getuid() != 0, reason="chown needs root")
def test_a_configuration_of_another_owner(make):
    node = make()
    os.chown(node.config_path, 1000, 1000)
    said = node.refused()
    assert "by:owner id diff: current process user id is 0, file owner id is 1000" in said


def test_a_linked_configuration(make):
    node = make()
    real = node.config_path.rename(node.home / "real.json")
    node.config_path.symlink_to(real)
    assert "The file: config.json is a link." in node.refused()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_model_type_that_nothing_serves(make, version):
    said = make(version, overlay=False).refused(status=FAILED[version])
    assert "unsupported model type: bailing_moe" in said


def test_the_old_version_hides_why_unless_told_to_show_it(make):
    node = make(OLD, overlay=False)
    node.env = {"MINDIE_LLM_PYTHON_LOG_TO_STDOUT": "0", "MINDIE_LLM_PYTHON_LOG_TO_FILE": "0"}
    said = node.refused()
    assert "unsupported model type" not in said
    assert said.splitlines()[-2:] == [
        "LLMInferEngine failed to init LLMInferModels",
        "ERR: Failed to init endpoint! Please check the service log or console output.",
    ]
    log = (node.service / "logs/mindservice.log").read_text()
    assert "export MINDIE_LLM_PYTHON_LOG_TO_STDOUT=1" in log


def test_a_longest_request_that_the_cache_does_not_hold(make):
    node = make(NEW)
    node.configure(maxSeqLen=400000, maxInputTokenLen=200000, maxPrefillTokens=200000, maxIterTimes=200000)
    said = node.refused(status=134)
    assert "Warmup failed. This could be caused by setting both" in said
    assert "Required block number: 3125. Left block number: 2119." in said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_download_that_was_not_converted(make, version):
    said = make(version, weights=tiny("lite", "bin")).refused(status=FAILED[version])
    assert "No local weights found in" in said
    assert "with extension .safetensors" in said


WEIGHTS = {
    "half-a-download": (
        lambda folder: sorted(folder.glob("*.safetensors"))[1].unlink(),
        "AssertionError: weight",
    ),
    "a-truncated-shard": (
        lambda folder: os.truncate(sorted(folder.glob("*.safetensors"))[1], 1000),
        "SafetensorError",
    ),
    "a-stale-shard": (
        lambda folder: shutil.copy(sorted(folder.glob("*.safetensors"))[1], folder / "old.safetensors"),
        "was found in multiple files",
    ),
    "no-tokenizer": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        "safe_get_tokenizer_from_pretrained failed.",
    ),
    "more-layers-than-weights": (
        lambda folder: edit_json(folder / "config.json", num_hidden_layers=3),
        "num_hidden_layers 3, the checkpoint has 2 layers",
    ),
    "fewer-experts-than-weights": (
        lambda folder: edit_json(folder / "config.json", num_experts=32),
        "num_experts 32, the checkpoint has 64 experts",
    ),
    "a-wider-shared-expert": (
        lambda folder: edit_json(folder / "config.json", num_shared_experts=3),
        "num_shared_experts x moe_intermediate_size 48",
    ),
    "other-heads": (
        lambda folder: edit_json(folder / "config.json", num_attention_heads=32),
        "do not fit 32 query heads",
    ),
    "unknown-expert-keys": (
        lambda folder: edit_json(folder / "config.json", "num_experts", experts=64),
        "num_experts",
    ),
    "contradicting-expert-keys": (
        lambda folder: edit_json(folder / "config.json", n_shared_experts=4),
        "num_shared_experts 2 and n_shared_experts 4",
    ),
    "an-end-token-that-is-none": (
        lambda folder: edit_json(folder / "generation_config.json", eos_token_id="end"),
        "eos_token_id must be",
    ),
    "a-long-context": (
        lambda folder: edit_json(folder / "config.json", rope_scaling={"type": "yarn", "factor": 4.0}),
        "rope_scaling",
    ),
    "weights-that-all-may-write": (
        lambda folder: folder.chmod(0o777),
        "should not be writable by others",
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_do_not_fit(make, tmp_path, case):
    spoil, words = WEIGHTS[case]
    folder = copied("lite", tmp_path / "weights")
    spoil(folder)
    assert words in make(NEW, weights=folder).refused(status=134)


def test_an_overlay_without_a_layout_cannot_place_the_larger_model(make):
    """By the stock formula heads are hidden size over heads wide, and that does not fit the tensors."""
    node = make(NEW, model="plus")
    (node.atb / "models/bailing_moe/layout.py").unlink()
    said = node.refused(status=134)
    assert "The size of tensor model.layers.0.attention.query_key_value.weight" in said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_port_in_use_is_found_after_loading(make, version):
    node = make(version)
    with socket.create_server((node.address, node.port)):
        said = node.refused()
    log = said + "".join(path.read_text() for path in node.service.glob("logs/*.log"))
    assert "model init success" in said
    assert "Socket bind failed, bind_result is -1. Address already in use" in log
    assert (f"Failed to listen {node.address}:{node.port}" in log) == (version == OLD)


def test_more_cards_than_the_container_has(make):
    node = make(NEW, cards=4)
    node.configure(npuDeviceIds=[list(range(8))], worldSize=8)
    assert "error code is 107001" in node.refused(status=134)


def test_visible_devices_renumber_the_cards(make):
    node = make(NEW)
    node.env = {"ASCEND_RT_VISIBLE_DEVICES": "4,5,6,7"}
    node.configure(npuDeviceIds=[[4, 5, 6, 7]], worldSize=4)
    assert "error code is 107001. Invalid device id 4" in node.refused(status=134)


@pytest.mark.parametrize("visible", ["4,5,6,7", "3,2,1,0"])
def test_visible_devices_are_counted_from_0_and_upwards(make, visible):
    node = make(NEW, cards=4)
    node.env = {"ASCEND_RT_VISIBLE_DEVICES": visible}
    said = node.refused(status=134)
    assert "error code is 107001. Invalid device id 0" in said
    assert f"Set visible device failed, invalid device=0, input visible devices:{visible}" in said


def test_a_world_that_the_model_does_not_divide_by(make):
    node = make(NEW, cards=6)
    assert "vocab_size 1024 is not divisible by the world size 6" in node.refused(status=134)


def test_shared_memory_of_the_usual_container(make):
    node = make(NEW)
    node.write_site(shared_memory=64 << 20)
    said = node.refused()
    assert "Shared memory available is not enough on the filesystem with  available size 67108864" in said
    assert "Available shared memory size is not enough for all executors." in said
    (node.dev / "shm").rmdir()
    assert "Shared memory directory does not exist for path /dev/shm." in node.refused()


def test_environment_that_was_not_sourced(make):
    node = make(OLD)
    node.env = {"LD_LIBRARY_PATH": ""}
    node.start()
    assert node.wait_end() == 127
    assert "libboost_thread.so.1.82.0: cannot open shared object file" in node.text


def test_a_memory_fraction_in_percent(make):
    node = make(NEW)
    node.env = {"NPU_MEMORY_FRACTION": "95"}
    assert "NPU_MEMORY_FRACTION should be in the range of 0 to 1.0" in node.refused(status=134)


@pytest.mark.parametrize("variable", ["RANKTABLEFILE", "RANK_TABLE_FILE"])
def test_a_rank_table_left_over_on_a_single_node(make, variable):
    node = make(NEW)
    table = node.home / "rank_table.json"
    table.write_text(json.dumps(rank_table([node, node])))
    node.env = {variable: str(table)}
    assert "EI0004" in node.refused(status=134)


def test_unknown_arguments(make):
    node = make(NEW)
    node.start("--port", "1025")
    assert node.wait_end() == 255


# ---- several nodes


@pytest.fixture
def pair(make):
    """Two plus nodes that would serve."""

    def pair(version=NEW, **config):
        nodes = [make(version, "plus", 40), make(version, "plus", 40)]
        join_world(nodes, **{"worldSize": 8, **config})
        return nodes

    return pair


def both_refused(nodes, seconds=40):
    for node in nodes:
        node.start()
    for node in nodes:
        assert node.wait_end(seconds) == FAILED[node.version], node.text
    return "".join(node.text for node in nodes)


def plogs(node):
    return "".join(path.read_text() for path in node.home.glob("ascend/log/debug/plog/*"))


def test_the_published_two_node_file_counts_all_ranks_and_only_the_old_version_takes_it(pair):
    nodes = pair(NEW)
    nodes[0].configure(multiNodesInferEnabled=True, worldSize=16)
    said = nodes[0].refused()
    assert "The size of npuDeviceIds (subset) does not equal to worldSize" in said
    assert "Start to parse ranktable file" not in said


@pytest.mark.parametrize("version", VERSIONS)
def test_an_address_that_no_entry_has(pair, version):
    primary, _ = pair(version)
    primary.env["MIES_CONTAINER_IP"] = "127.0.0.9"
    said = primary.refused()
    ok = "Update worldSize and npuDeviceIds of backend config successfully for Multi Nodes Inference."
    assert said.index(ok) < said.index("npuDeviceID does not allow repetitive element")


def test_only_the_old_name_of_the_variable(pair):
    primary, _ = pair(NEW)
    del primary.env["RANK_TABLE_FILE"]
    said = primary.refused()
    assert "Ranktable file is not exist, please set a valid ranktable file path with RANK_TABLE_FILE" in said
    assert "ConfigManager init exception: init rank table config error." in said


def test_tls_between_nodes_without_certificates(pair):
    primary, _ = pair(NEW, interNodeTLSEnabled=True)
    missing = "interNodeTlsCert path is invalid by: The input file: server.pem is not a regular file"
    assert missing in primary.refused()


def test_a_follower_without_its_primary_gives_up(pair):
    _, follower = pair(NEW)
    said = follower.refused(seconds=90, status=134)
    assert "Failed to establish connection to master after maximum retries" in said


def test_a_world_size_that_is_not_the_tables(pair):
    nodes = pair(NEW)
    for node in nodes:
        node.env["WORLD_SIZE"] = "8"
    assert "rank_id should be a number less than world size." in both_refused(nodes)
    for node in nodes:
        node.env["WORLD_SIZE"] = "32"
    assert "EI0015" in both_refused(nodes)


def test_ranks_with_a_gap(pair):
    nodes = pair(NEW)
    table = rank_table(nodes)
    table["server_list"][1]["device"][0]["rank_id"] = "1"
    join_world(nodes, table, worldSize=8)
    assert "ERROR: Rank id is not in the rankTableFile, the input rank is 8" in both_refused(nodes)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_hccl_nodes_do_not_meet(pair, version):
    nodes = pair(version, **({"worldSize": 16} if version == OLD else {}))
    for node in nodes:
        del node.env["ATB_LLM_HCCL_ENABLE"]
    assert "lccl" in both_refused(nodes)


LINKS = {
    "link-down": lambda cards: cards["3"].update(link_up=False),
    "tls-mixed": lambda cards: cards["2"].update(tls=True),
    "another-address": lambda cards: cards["0"].update(address="127.99.99.99"),
}


@pytest.mark.parametrize("case", LINKS)
def test_cards_that_do_not_reach_each_other(pair, case):
    nodes = pair(NEW)
    site = json.loads(nodes[1].site_path.read_text())
    LINKS[case](site["cards"])
    nodes[1].write_site(**site)
    assert "EI0006: wait socket establish timeout" in both_refused(nodes)
    lines = plogs(nodes[0]) + plogs(nodes[1])
    assert "LINK_ERROR_INFO" in lines
    assert ("| ENABLE |" in lines) == (case == "tls-mixed")


def test_nodes_with_different_tables(pair):
    nodes = pair(NEW)
    table = rank_table(nodes)
    table["server_list"][0]["device"][0]["device_ip"] = "127.99.99.98"
    path = nodes[1].home / "rank_table.json"
    path.write_text(json.dumps(table))
    assert "EI0006" in both_refused(nodes)


@pytest.mark.parametrize(
    ("variable", "value"), [("HCCL_CONNECT_TIMEOUT", "60"), ("HCCL_EXEC_TIMEOUT", "never")]
)
def test_an_hccl_timeout_outside_its_range(pair, variable, value):
    nodes = pair(NEW)
    for node in nodes:
        node.env[variable] = value
    assert f"EI0001: Environment variable [{variable}] is invalid" in both_refused(nodes)


def test_the_entry_of_the_newer_version_checks_its_installation(tmp_path):
    code = "from lingctl.sandbox.engine.entry import main; raise SystemExit(main('/nonexistent'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "RuntimeError: mindieservice_daemon not found at /nonexistent/bin" in done.stderr
