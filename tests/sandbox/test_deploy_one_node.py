"""deploy as it is typed, of Ling-lite from .bin on one node with MindIE 3.0.0."""

from __future__ import annotations

import time

import pytest

from tests.sandbox.deploys import changes, daemons

pytestmark = pytest.mark.sandbox


@pytest.fixture
def bare(modern_cluster):
    """The node as it was before any deploy."""
    left = "docker rm -f lingctl-sandbox; rm -rf /var/lib/lingctl/sandbox /root/models/Ling_lite_*"
    modern_cluster.on("node1", left)
    return modern_cluster


def test_lite_from_bin_on_one_node(bare, modern_cluster):
    first = modern_cluster.lingctl("deploy", "--yes", "--json")
    assert first.status == 0, first.said
    assert ("node1", "convert .bin to safetensors") in changes(first.document)
    assert not any("rank_table" in title for _, title in changes(first.document))
    assert "Ling" in first.document["answer"]
    kept = modern_cluster.on(
        "node1", "ls /root/models/Ling_lite /root/models/Ling_lite_safetensor"
    ).stdout.split()
    assert {"pytorch_model.bin", "model.safetensors.index.json", "configuration_bailing_moe.py"} <= set(kept)
    assert modern_cluster.lingctl("deploy", "--yes", "--json").document["plan"]["empty"]
    assert modern_cluster.lingctl("smoke-test").status == 0
    logs = modern_cluster.lingctl("logs", "-n", "1000")
    assert "node1 | Daemon start success!" in logs.stdout


def test_a_card_that_another_container_uses_is_told_as_the_cause(modern_cluster):
    shown = "-v /usr/local/sbin:/usr/local/sbin:ro -v /usr/local/Ascend/driver:/usr/local/Ascend/driver:ro"
    image = modern_cluster.on("node1", "docker images --format '{{.Repository}}:{{.Tag}}'").stdout.strip()
    assert modern_cluster.lingctl("stop", "--yes").status == 0
    other = f"docker run -d --name other --device /dev/davinci0 {shown} {image} sleep infinity"
    assert modern_cluster.on("node1", f"{other} && docker exec other npu-smi info").status == 0
    try:
        done = modern_cluster.lingctl("deploy", "--yes")
    finally:
        modern_cluster.on("node1", "docker rm -f other")
    assert done.status == 1 and "(mindie-F30)" in done.stderr, done.said


def test_a_daemon_that_dies_is_noticed_and_started_again(modern_cluster):
    modern_cluster.lingctl("deploy", "--yes")
    modern_cluster.on("node1", "docker exec lingctl-sandbox pkill -KILL -f mindieservice_daemon")
    deadline = time.monotonic() + 120
    while daemons(modern_cluster) != {"dead"} and time.monotonic() < deadline:
        time.sleep(0.2)
    status = modern_cluster.lingctl("status")
    assert status.status == 3
    assert "dead" in status.stdout
    again = modern_cluster.lingctl("deploy", "--yes", "--json")
    assert again.status == 0, again.said
    assert ("node1", "start the daemon") in changes(again.document)
    assert not any("container" in title for _, title in changes(again.document))
    stop = modern_cluster.lingctl("stop", "--yes")
    assert stop.status == 0, stop.said
    assert daemons(modern_cluster) == {"stopped"}
