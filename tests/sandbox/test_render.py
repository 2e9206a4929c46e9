"""What is rendered from live nodes: the cards' own addresses, the weights as they lie there, or a refusal."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox


def test_a_rank_table_holds_the_live_addresses_and_saved_facts_give_the_same(pair_cluster: Live, tmp_path):
    live = pair_cluster.lingctl("render", "ranktable", "--json")
    assert live.status == 0, live.said
    table = json.loads(live.document["files"][0]["content"])
    heard = {
        node: pair_cluster.on(
            node, "for i in 0 1; do /usr/local/Ascend/driver/tools/hccn_tool -i $i -ip -g; done"
        ).stdout
        for node in ("node1", "node2")
    }
    for node, server in zip(heard, table["server_list"], strict=True):
        assert server["container_ip"] == pair_cluster.address(node)
        assert all(f"ipaddr:{device['device_ip']}" in heard[node] for device in server["device"]), heard[node]
    pair_cluster.lingctl("check-network", "--save", tmp_path / "facts")
    saved = pair_cluster.lingctl("render", "ranktable", "--from", tmp_path / "facts", "--json")
    assert [file["content"] for file in saved.document["files"]] == [
        file["content"] for file in live.document["files"]
    ]


def test_live_weights_decide_the_model_config(pair_cluster: Live):
    done = pair_cluster.lingctl("render", "model-config", "--json")
    assert done.status == 0, done.said
    files = done.document["files"]
    assert [file["path"] for file in files] == ["/root/models/Ling_plus/config.json"] * 2
    # The emulated model is a small one of the same kind: its head width follows from its tensors.
    assert all(json.loads(file["content"])["head_dim"] == 64 for file in files)


def test_a_card_without_an_address_makes_no_table(pair_cluster: Live):
    with pair_cluster.broken("node2", "no-address=1"):
        done = pair_cluster.lingctl("render", "ranktable", "--json")
    assert done.status == 2
    assert "node2 card 1" in done.stderr
    assert "no rank table can be made" in done.stderr
