"""smoke-test and bench as they are typed, against a live cluster: each fault fails its own rung by name."""

import json

import pytest

from tests.sandbox.deploys import changes
from tests.sandbox.live import lingctl

pytestmark = pytest.mark.sandbox

SERVICE_RUNGS = 12


@pytest.fixture(scope="module")
def deployed(plus_cluster):
    """What a deploy on two nodes said; stopped afterwards."""
    result = plus_cluster.lingctl("deploy", "--yes", "--json")
    assert result.status == 0, result.said
    yield result
    plus_cluster.lingctl("stop", "--yes")


@pytest.fixture(scope="module")
def serving(deployed, plus_cluster):
    """Two nodes that serve."""
    return plus_cluster


def test_sixteen_ranks_on_two_nodes_answer(deployed):
    assert "Ling" in deployed.document["answer"]
    starts = [node for node, title in changes(deployed.document) if title == "start the daemon"]
    assert starts == ["node1", "node2"]


def failures(result):
    return [
        (finding["check"], finding["node"])
        for finding in result.document["findings"]
        if finding["verdict"] == "failure"
    ]


def test_a_healthy_cluster_warns_of_nothing(serving):
    result = serving.lingctl("smoke-test", "--json")
    findings = result.document["findings"]
    assert result.status == 0
    assert {finding["verdict"] for finding in findings} == {"pass"}
    about_nodes = [(finding["check"], finding["node"]) for finding in findings[SERVICE_RUNGS:]]
    assert about_nodes == [(rung, node) for node in ("node1", "node2") for rung in ("daemon", "memory")]
    assert "8 cards" in findings[-1]["message"]
    assert "Ling" in result.document["answer"]


def test_it_is_proved_by_the_weights_on_its_nodes(serving):
    """Its containers compute, which may write in one folder alone; a wrong model is not taken for right."""
    right = serving.lingctl("prove", "--max-tokens", "16", "--json")
    assert right.status == 0, right.said
    assert set(right.document["reference"]) == {"node1", "node2"}
    with serving.broken("node1", "wrong-answer"):
        wrong = serving.lingctl("prove", "--max-tokens", "8", "--json")
    assert wrong.status == 1, wrong.said


FAULTS = {
    "stuck-stream": "stream",
    "truncated-stream": "stream",
    "error-in-stream": "stream",
    "slow-first-token": "first-token",
    "wrong-answer": "answer",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_serving_fault_fails_its_rung(serving, fault):
    limits = ("--first-token-limit", "1.5", "--patience", "5")
    with serving.broken("node1", fault):
        result = serving.lingctl("smoke-test", "--json", *limits)
    assert failures(result) == [(FAULTS[fault], "")]
    assert result.status == 1


def test_a_wrong_name_fails_at_models(serving, tmp_path):
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(serving.hosts.read_text() + "\nserving:\n  served_name: qwen\n")
    (tmp_path / "key").symlink_to(serving.directory / "key")
    result = serving.lingctl("smoke-test", "--json", environment={"LINGCTL_NODES": str(hosts)})
    assert failures(result) == [("models", "")]
    assert "bailing_moe" in json.dumps(result.document)


def test_bench_over_ssh(serving):
    sizes = ("--requests", "12", "--concurrency", "4", "--input-len", "16", "--output-len", "6")
    result = serving.lingctl("bench", *sizes, "--json")
    assert result.status == 0, result.said
    metrics = result.document["metrics"]
    assert (metrics["completed"], metrics["output_tokens"]) == (12, 72)
    assert any("SSH tunnel" in note for note in result.document["notes"])


def test_a_dead_follower_is_named(serving):
    """Last of all: the cluster is broken afterwards."""
    killed = serving.on(
        "node2", "docker exec lingctl-sandbox sh -c 'kill -9 $(cat /var/lib/lingctl/*/run/*.pid)'"
    )
    assert killed.status == 0, killed.said
    result = serving.lingctl("smoke-test", "--json")
    found = failures(result)
    assert ("daemon", "node2") in found
    # The first request after the loss of a node ends the primary, so none is sent.
    assert ("daemon", "node1") not in found
    generate = next(finding for finding in result.document["findings"] if finding["check"] == "generate")
    assert generate["verdict"] == "unknown"
    assert "node2: the daemon is dead" in generate["message"]
    rows = serving.lingctl("status", "--json").document["nodes"]
    assert [(row["node"], row["healthy"]) for row in rows] == [("node1", False), ("node2", False)]
    assert any("node2 is lost" in problem for problem in rows[0]["problems"])


def test_a_cluster_that_nobody_started(lite_cluster):
    result = lite_cluster.lingctl("smoke-test", "--json")
    assert result.status == 4
    assert ("port", "") in failures(result)


def test_two_targets_are_one_too_many(plus_cluster):
    result = lingctl("smoke-test", "--nodes", plus_cluster.hosts, "--url", "http://127.0.0.1:1025")
    assert result.status == 2
    assert "exclude each other" in result.stderr
    result = lingctl("bench", "--nodes", plus_cluster.hosts, "--model", "qwen")
    assert result.status == 2
    assert "serving.served_name" in result.stderr
