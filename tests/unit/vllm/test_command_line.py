"""The words that start vLLM: each setting of hosts.yaml by its own flag, or refused in words."""

from __future__ import annotations

import pytest

from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.release.wanted import wanted_release
from tests.unit.vllm.samples import LITE_CONFIG, start_line, vllm_cluster

TLS = {"cert": "a.pem", "key": "a.key", "ca": ["ca.pem"]}


def test_one_node_is_told_everything_on_its_command_line():
    assert start_line(vllm_cluster()) == (
        "vllm serve /home/HwHiAiUser/Ascend/Ling_lite --host 10.0.0.1 --port 1025 "
        "--served-model-name bailing_moe --trust-remote-code --dtype bfloat16 --max-model-len 16384 "
        "--max-num-seqs 200 --max-num-batched-tokens 8192 --gpu-memory-utilization 0.9 "
        "--tensor-parallel-size 8"
    )


def test_settings_of_serving_have_their_flags():
    serving = {
        "served_name": "ling",
        "port": 8000,
        "max_seq_len": 4096,
        "max_batch_size": 16,
        "max_prefill_tokens": 2048,
        "npu_memory_fraction": 0.85,
        "max_output_tokens": 512,
    }
    words = start_line(vllm_cluster(serving=serving))
    for told in (
        "--served-model-name ling",
        "--port 8000",
        "--max-model-len 4096",
        "--max-num-seqs 16",
        "--max-num-batched-tokens 2048",
        "--gpu-memory-utilization 0.85",
        "--override-generation-config '{\"max_new_tokens\":512}'",
    ):
        assert f" {told} " in words


@pytest.mark.parametrize(
    "more",
    [
        {"serving": {"max_input_tokens": 100}},
        {"serving": {"management_port": 1026}},
        {"serving": {"metrics_port": 1027}},
        {"inter_node_tls": TLS},
    ],
)
def test_what_has_no_equal_is_refused_in_words_even_where_it_says_the_default(more):
    cluster = vllm_cluster(**more)
    with pytest.raises(ConfigurationError) as told:
        wanted_release(cluster, cluster.primary, {}, LITE_CONFIG, "/root/models/Ling_lite")
    assert told.value.code == "vllm-no-equal"
    assert "vLLM" in told.value.what and told.value.remedy


def test_all_that_has_no_equal_is_named_at_once():
    cluster = vllm_cluster(serving={"max_input_tokens": 5, "metrics_port": 1030}, inter_node_tls=TLS)
    with pytest.raises(ConfigurationError) as told:
        start_line(cluster)
    places = [one.where.removesuffix(" in hosts.yaml") for one in (told.value, *told.value.also)]
    assert places == ["serving.max_input_tokens", "serving.metrics_port", "inter_node_tls"]
    assert all(one.remedy for one in told.value.also)


def test_two_nodes_find_each_other_by_the_first_one_s_address():
    cluster = vllm_cluster("Ling-plus", 2)
    first, second = start_line(cluster), start_line(cluster, 1)
    between = "--distributed-executor-backend mp --nnodes 2 --node-rank {} --master-addr 10.0.0.1"
    assert "--tensor-parallel-size 8 --pipeline-parallel-size 2" in first
    assert between.format(0) in first and "--headless" not in first
    assert between.format(1) in second and second.endswith("--headless") and "--port" not in second


@pytest.mark.parametrize(
    ("serving", "code", "word"),
    [
        ({"max_seq_len": 80000}, "vllm-window", "65536"),
        ({"max_prefill_tokens": 64, "max_batch_size": 100}, "vllm-step", "100"),
    ],
)
def test_limits_with_which_it_does_not_start_are_refused(serving, code, word):
    with pytest.raises(ConfigurationError) as told:
        start_line(vllm_cluster(serving=serving))
    assert told.value.code == code and word in told.value.remedy


def test_https_asks_clients_for_a_certificate_and_reads_one_file_of_authorities(tmp_path):
    for name in ("a.pem", "a.key", "ca.pem"):
        (tmp_path / name).write_text("-----BEGIN X-----\n")
    cluster = vllm_cluster(https=TLS).anchored(tmp_path)
    assert (
        "--ssl-certfile /var/lib/lingctl/demo/tls/https/server.pem "
        "--ssl-keyfile /var/lib/lingctl/demo/tls/https/server.key "
        "--ssl-ca-certs /var/lib/lingctl/demo/tls/https/ca1.pem --ssl-cert-reqs 2"
    ) in start_line(cluster)
    two = vllm_cluster(https=TLS | {"ca": ["ca.pem", "a.pem"]}).anchored(tmp_path)
    with pytest.raises(ConfigurationError, match="one file of authorities"):
        start_line(two)


@pytest.mark.parametrize("serving", [{}, {"max_seq_len": 65536}])
def test_a_batch_without_a_service_has_the_same_arguments_but_those_of_the_service(serving):
    cluster = vllm_cluster(serving=serving, https=TLS, engine={"name": "vllm", "eager": True})
    start = engine_of(cluster).start(cluster, cluster.primary, "/root/models/Ling_lite", LITE_CONFIG).words
    words = engine_of(cluster).offline(cluster, "/root/models/Ling_lite", LITE_CONFIG)
    assert words[:2] == ("--model", start[2])
    of_the_service = (
        "--host",
        "--port",
        "--ssl-certfile",
        "--ssl-keyfile",
        "--ssl-ca-certs",
        "--ssl-cert-reqs",
    )
    dropped = {place + step for flag in of_the_service for place in [start.index(flag)] for step in (0, 1)}
    assert words[2:] == tuple(word for place, word in enumerate(start) if place > 2 and place not in dropped)


def test_mindie_answers_no_batch_without_a_service():
    cluster = vllm_cluster(engine="mindie")
    with pytest.raises(ConfigurationError) as told:
        engine_of(cluster).offline(cluster, "/root/models/Ling_lite", LITE_CONFIG)
    assert told.value.code == "offline-engine"
