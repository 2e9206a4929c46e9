"""What is written down of a change, on the node it is made on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.events import Event, ignore
from lingctl.flows.look.audit import audit_entries
from lingctl.flows.overlay.by_hand import change_nodes, plan_by_hand
from lingctl.flows.overlay.patch import PatchOptions
from lingctl.flows.run import change as change_module
from lingctl.flows.run.change import changing, settle
from lingctl.flows.run.execute import execute
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.plan import Run, Stage, Step, plan_of
from lingctl.release.journal import read_journal, unfinished
from lingctl.release.state import NodeState
from lingctl.remote.command import script
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.node_overlay.trees import make_tree
from tests.unit.release.conftest import cluster_of


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(change_module, "connect_node", lambda cluster, node: LocalConnection(node.name))
    return cluster_of("node1", paths=Paths(state=str(tmp_path)))


def step(title: str, text: str) -> Step:
    return Step(Stage.FILES, "node1", title, "change", "because", (Run(script(text), 20),))


def run(cluster: Cluster, *steps: Step, listener=ignore) -> None:
    group = Group({"node1": LocalConnection("node1")})
    with changing(group, cluster, "lingctl deploy", listener) as change:
        execute(plan_of(steps), group, listener, change)


def journal(cluster: Cluster) -> list[dict]:
    return read_journal(Path(cluster.layout.audit).read_text())


def test_a_line_for_every_change_and_for_begin_and_end(cluster: Cluster):
    run(cluster, step("write a", "true"), step("write b", "true"))
    entries = journal(cluster)
    assert [(e["event"], e.get("step"), e.get("result")) for e in entries] == [
        ("begin", None, None),
        ("step", "write a", "done"),
        ("step", "write b", "done"),
        ("end", None, "done"),
    ]
    assert entries[0]["steps"] == ["write a", "write b"]
    assert entries[0]["command"] == "lingctl deploy" and "@" in entries[0]["who"]
    assert unfinished(entries) is None


def test_a_failure_is_written_down_and_told_by_the_next_run(cluster: Cluster):
    with pytest.raises(NodeError):
        run(cluster, step("write a", "true"), step("write b", "echo broken >&2; exit 1"))
    found = unfinished(journal(cluster))
    assert found is not None
    assert (found.done, found.left) == (("write a",), ("write b",))
    assert "exit status 1" in found.failed


def test_what_was_found_complete_later_is_settled(cluster: Cluster):
    with pytest.raises(NodeError):
        run(cluster, step("write a", "exit 1"))
    state = NodeState("node1", unfinished=unfinished(journal(cluster)))
    settle(Group({"node1": LocalConnection("node1")}), cluster, {"node1": state}, ignore)
    assert unfinished(journal(cluster)) is None


def test_a_known_failure_of_a_step_is_explained(cluster: Cluster):
    full = step("write a", "echo 'write /x: No space left on device' >&2; exit 1")
    with pytest.raises(NodeError) as caught:
        run(cluster, full)
    assert caught.value.code == "step-G1"
    assert "a disk is full" in caught.value.what and "df -h" in caught.value.remedy


def test_a_log_that_cannot_be_written_stops_nobody(cluster: Cluster, tmp_path: Path):
    Path(cluster.layout.audit).mkdir(parents=True)
    heard: list[Event] = []
    run(cluster, step("write a", f"touch {tmp_path}/done"), listener=heard.append)
    assert (tmp_path / "done").exists()
    assert any(event.task == "audit log" and "not written" in event.text for event in heard)


def test_a_long_log_is_put_aside(cluster: Cluster):
    path = Path(cluster.layout.audit)
    path.parent.mkdir(parents=True)
    path.write_text("x" * 2_100_000)
    run(cluster, step("write a", "true"))
    assert path.stat().st_size < 10_000
    assert path.with_name("audit.log.1").stat().st_size > 2_000_000
    assert json.loads(path.read_text().splitlines()[0])["event"] == "begin"


def test_what_began_in_a_log_that_was_put_aside_is_read_too(cluster: Cluster):
    path = Path(cluster.layout.audit)
    run(cluster, step("write a", "true"))
    entries = audit_entries(Group({"node1": LocalConnection("node1")}), cluster, 50)
    path.rename(path.with_name("audit.log.1"))
    path.write_text("")
    assert entries and audit_entries(Group({"node1": LocalConnection("node1")}), cluster, 50) == entries


def test_a_patch_by_hand_is_written_down_too(cluster: Cluster, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LINGCTL_ATB_STATE", str(tmp_path / "records"))
    group = Group({"node1": LocalConnection("node1")})
    options = PatchOptions(root=str(make_tree(tmp_path)), host=True)
    with changing(group, cluster, "lingctl patch apply", ignore) as change:
        report = change_nodes(group, cluster, plan_by_hand(cluster, "apply"), "apply", options, change)
    assert report.exit_status == 0
    begin, step, end = journal(cluster)
    assert (begin["command"], step["step"], step["result"]) == ("lingctl patch apply", "patch apply", "done")
    assert end["result"] == "done"
