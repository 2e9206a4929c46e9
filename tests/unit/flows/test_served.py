"""The engine that runs is read from the record of what was started, whatever hosts.yaml names by now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import NotAskedError
from lingctl.flows.look.served import cluster_that_runs
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.sections import Paths
from lingctl.release.record import Recording, record_text
from lingctl.release.wanted import wanted_release
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of
from tests.unit.vllm.samples import LITE_CONFIG

VLLM = EngineChoice(name="vllm", version="0.32.0")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return cluster_of("node1", paths=Paths(state=str(tmp_path)))


def record(cluster: Cluster, id_: str, *, started: str = "started") -> str:
    """Leave on the node what a deploy leaves; gives the release's digest."""
    layout = cluster.layout
    release = wanted_release(cluster, cluster.primary, {}, LITE_CONFIG, "/root/models/Ling_lite")
    folder = Path(layout.releases)
    folder.mkdir(parents=True, exist_ok=True)
    text = record_text(cluster, release, Recording(id_, "now", "me", {}))
    (folder / f"{id_}.{release.digest}.json").write_text(text)
    Path(layout.run).mkdir(parents=True, exist_ok=True)
    (Path(layout.run) / started).write_text(f"{release.digest}\n12345\n")
    return release.digest


def served(cluster: Cluster) -> EngineChoice:
    return cluster_that_runs(Group({"node1": LocalConnection("node1")}), cluster).chosen_engine


def test_where_the_first_node_is_left_out_another_tells(tmp_path):
    two = cluster_of("node1", "node2", paths=Paths(state=str(tmp_path)))
    record(two.served_by(EngineChoice(name="vllm", version="0.23.0")), "20260101-000000-aaaa")
    some = Group({"node2": LocalConnection("node2")}, {"node1": NotAskedError("not asked")})
    assert cluster_that_runs(some, two).chosen_engine.name == "vllm"


@pytest.mark.parametrize("started", ["started", "last-started"])
def test_what_was_started_last_counts_running_or_stopped(cluster, started):
    record(cluster.served_by(VLLM), "20260101-000000-aaaa", started=started)
    found = served(cluster)
    assert (found.name, found.version) == ("vllm", "0.32.0")


def test_hosts_yaml_counts_where_nothing_was_started_or_nothing_is_recorded(cluster):
    assert served(cluster).name == "mindie"
    record(cluster.served_by(VLLM), "20260101-000000-aaaa")
    for path in Path(cluster.layout.releases).iterdir():
        path.unlink()
    assert served(cluster).name == "mindie"


def test_a_record_that_cannot_be_read_and_one_of_an_earlier_lingctl(cluster):
    digest = record(cluster.served_by(VLLM), "20260101-000000-aaaa")
    (path,) = Path(cluster.layout.releases).iterdir()
    head, _, body = path.read_text().partition("\n")
    old = json.loads(head)
    del old["engine"]
    path.write_text(json.dumps({**old, "mindie": "3.0.0"}) + "\n" + body)
    assert (served(cluster.served_by(VLLM)).name, served(cluster).version) == ("mindie", "3.0.0")
    path.write_text(json.dumps({**old, "engine": {"name": "another"}}) + "\n" + body)
    assert served(cluster.served_by(VLLM)).name == "vllm"
    path.write_text("no record\n")
    assert served(cluster).name == "mindie" and digest
