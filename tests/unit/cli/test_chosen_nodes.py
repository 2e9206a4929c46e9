"""Which nodes: --node names only such as there are, and only these are connected; hosts.yaml or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.cli.common import chosen_nodes, optional_cluster
from lingctl.cli.look.logs import logs
from lingctl.errors import ConfigurationError, NotAskedError, UsageError
from lingctl.flows.look.status import cluster_status as status
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.remote import group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1", "node2", "node3")


def test_nodes_are_taken_in_the_order_of_hosts_yaml_each_once():
    assert chosen_nodes(CLUSTER, ["node3", "node1", "node3"]) == ("node1", "node3")
    assert chosen_nodes(CLUSTER, None) == chosen_nodes(CLUSTER, []) == ()


def test_an_unknown_name_is_told_with_those_that_there_are():
    with pytest.raises(UsageError, match="'node33'") as caught:
        chosen_nodes(CLUSTER, ["node1", "node33"])
    assert "node1, node2, node3" in caught.value.remedy and caught.value.code == "unknown-node"


def test_only_those_are_connected_and_the_others_have_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def connected(_: Cluster, node: Node) -> LocalConnection:
        asked.append(node.name)
        return LocalConnection(node.name)

    monkeypatch.setattr(group, "connect_node", connected)
    with group.connect(CLUSTER, only=("node2",)) as some:
        assert asked == ["node2"] and set(some.connections) == {"node2"}
        assert some.left_out == ("node1", "node3")
        with pytest.raises(NotAskedError):
            some["node1"]
        rows = status.cluster_status(some, CLUSTER)
    assert [row.node for row in rows] == ["node2"]
    with group.connect(CLUSTER) as all_of_them:
        assert all_of_them.left_out == ()


def test_a_hosts_yaml_that_leads_nowhere_is_told_and_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert optional_cluster(None) is None
    Path("hosts.yaml").symlink_to("site/hosts.yaml")
    with pytest.raises(ConfigurationError) as told:
        optional_cluster(None)
    assert told.value.code == "hosts-missing"


def test_a_rank_is_not_looked_for_on_a_node_that_does_not_hold_it(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yaml"
    nodes = ", ".join(f"{{name: node{number}, address: 192.0.2.{number}}}" for number in (1, 2))
    hosts.write_text(f"name: demo\nmodel: Ling-plus\nnodes: [{nodes}]\n")
    with pytest.raises(UsageError, match="rank 9 is on node2"):
        logs(nodes=hosts, rank=9, node=["node1"])
