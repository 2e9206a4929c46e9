"""The manifests against the published schemas of Kubernetes, and against what MindIE needs."""

from __future__ import annotations

import json

import pytest
import yaml

from lingctl.errors import ConfigurationError
from lingctl.flows.files.kubernetes import RESOURCE, manifests
from lingctl.inventory.sections import Container, Node
from tests.unit.release.conftest import cluster_of

ADDRESSES = {f"node{n}": {card: f"10.1.{n}.{card + 1}" for card in range(8)} for n in (1, 2)}


def objects_of(cluster):
    return manifests(cluster, ADDRESSES, "/root/models/Ling_lite", "ling")


@pytest.fixture(params=[("node1",), ("node1", "node2")], ids=["one node", "two nodes"])
def objects(request):
    return objects_of(cluster_of(*request.param))


def test_they_are_what_the_published_schemas_allow(objects):
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for one in yaml.safe_load_all(yaml.safe_dump_all(objects)):
        validate.validate(one, "1.30", strict=True)


def test_each_node_has_its_own_pod_on_its_own_machine(objects):
    sets = [one for one in objects if one["kind"] == "StatefulSet"]
    pods = [one["spec"]["template"]["spec"] for one in sets]
    assert [pod["nodeSelector"]["kubernetes.io/hostname"] for pod in pods] == [
        f"node{n + 1}" for n in range(len(pods))
    ]
    assert all(pod["containers"][0]["resources"]["limits"] == {RESOURCE: "8"} for pod in pods)
    assert ["startupProbe" in pod["containers"][0] for pod in pods] == [True] + [False] * (len(pods) - 1)


def test_files_are_mounted_one_by_one_where_the_container_reads_them(objects):
    (first, *_) = [one for one in objects if one["kind"] == "StatefulSet"]
    maps = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    pod = first["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in pod["containers"][0]["volumeMounts"]:
        assert mount["name"] in volumes
        if "subPath" in mount:
            assert mount["subPath"] in maps[volumes[mount["name"]]["configMap"]["name"]]
            assert mount["mountPath"].endswith(f"/{mount['subPath']}")
    start = maps["ling-0-files"]["start.sh"]
    paths = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert pod["containers"][0]["command"][1] in paths
    assert "/var/lib/lingctl/ling/release/config.json" in start
    assert "/var/lib/lingctl/ling/release/config.json" in paths


@pytest.mark.parametrize("namespace", ["", "Ling", "a_b", "-a", "a.b", "a" * 64, "a\nb: 1"])
def test_a_namespace_that_kubernetes_takes_for_none_is_refused(namespace):
    with pytest.raises(ConfigurationError) as told:
        manifests(cluster_of("node1"), ADDRESSES, "/root/models/Ling_lite", namespace)
    assert (told.value.code, told.value.where) == ("export-name", "--namespace")


@pytest.mark.parametrize(
    ("names", "name", "where"),
    [
        (("fe80::1",), "ling", "nodes in hosts.yaml"),
        (("Node_1",), "ling", "nodes in hosts.yaml"),
        (("node1",), "8b", "name in hosts.yaml"),
    ],
)
def test_names_of_hosts_yaml_that_are_none_there_are_refused(names, name, where):
    with pytest.raises(ConfigurationError) as told:
        objects_of(cluster_of(*names).model_copy(update={"name": name}))
    assert (told.value.code, told.value.where) == ("export-name", where)


def test_machines_are_named_as_kubernetes_names_them():
    assert objects_of(cluster_of("192.0.2.11")) and objects_of(cluster_of("node1.site.example"))


def test_all_nodes_have_the_same_rank_table():
    objects = objects_of(cluster_of("node1", "node2"))
    tables = {one["data"]["rank_table.json"] for one in objects if "rank_table.json" in one.get("data", {})}
    assert len(tables) == 1
    assert json.loads(tables.pop())["server_count"] == "2"


def test_shared_memory_is_as_large_as_asked():
    objects = objects_of(cluster_of("node1", container=Container(shm_size="500g")))
    (one,) = [one for one in objects if one["kind"] == "StatefulSet"]
    (shm,) = [v for v in one["spec"]["template"]["spec"]["volumes"] if v["name"] == "shm"]
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "500Gi"}


def test_cards_that_cannot_be_counted_off_are_refused():
    cluster = cluster_of("node1").model_copy(
        update={"nodes": (Node(address="10.0.0.1", name="node1", devices=(4, 5, 6, 7)),)}
    )
    with pytest.raises(ConfigurationError) as caught:
        objects_of(cluster)
    assert caught.value.code == "cards-not-countable"
