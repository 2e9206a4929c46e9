"""What changes, and what has to be restarted for it."""

from __future__ import annotations

from dataclasses import replace

from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Container, Serving, Timeouts
from lingctl.plan import Plan, Stage
from lingctl.release.planning import deploy_steps
from lingctl.release.site import site_of
from lingctl.release.state import NodeState, drift
from tests.unit.release.conftest import cluster_of, deployed, releases_of, with_state


def changed(plan: Plan) -> list[tuple[str, str]]:
    return [(step.node, step.stage.word) for step in plan.changes]


def plan_for(before: Cluster, after: Cluster) -> Plan:
    """The plan from a deployed cluster to a changed hosts.yaml."""
    states = {name: deployed(before, release) for name, release in releases_of(before).items()}
    return deploy_steps(site_of(after), states, releases_of(after))


def test_a_second_run_is_empty(cluster: Cluster, states, releases):
    plan = deploy_steps(site_of(cluster), states, releases)
    assert plan.empty
    assert {step.state for step in plan.steps} == {"in place"}


def test_a_bare_node_gets_everything_in_order(cluster: Cluster, releases):
    states = {name: NodeState(name, image_present=True) for name in releases}
    plan = deploy_steps(site_of(cluster), states, releases)
    stages = [stage for stage, _ in plan.stages()]
    assert stages == [Stage.OVERLAY, Stage.FILES, Stage.CONTAINER, Stage.DAEMON]
    assert {step.node for step in plan.changes} == {"node1", "node2"}


def test_a_time_limit_of_ours_restarts_nothing():
    after = cluster_of("node1", "node2", timeouts=Timeouts(start=100, stop=100, command=100))
    assert plan_for(cluster_of("node1", "node2"), after).empty


def test_a_served_value_restarts_the_daemons_and_no_container():
    after = cluster_of("node1", "node2", serving=Serving(max_batch_size=7))
    plan = plan_for(cluster_of("node1", "node2"), after)
    assert changed(plan) == [
        (node, stage) for stage in ("stop", "files", "daemon") for node in ("node1", "node2")
    ]
    (step,) = [s for s in plan.changes if s.stage is Stage.FILES and s.node == "node2"]
    assert "maxBatchSize" in step.difference
    assert "another configuration" in plan.changes[0].reason


def test_a_new_image_makes_the_containers_anew():
    after = cluster_of("node1", "node2", container=Container(image="mindie:other"))
    plan = plan_for(cluster_of("node1", "node2"), after)
    assert [stage for node, stage in changed(plan) if node == "node1"] == ["stop", "container", "daemon"]
    (step,) = [s for s in plan.changes if s.stage is Stage.CONTAINER and s.node == "node1"]
    assert [action.command.text.split()[1] for action in step.actions[1:]] == ["rm", "run"]


def test_a_changed_overlay_restarts_the_daemons_of_all_nodes_and_no_container(cluster, states, releases):
    (path, file) = next((p, f) for p, f in states["node2"].files.items() if "/overlay/" in p)
    files = {**states["node2"].files, path: replace(file, content=b"edited")}
    plan = deploy_steps(site_of(cluster), with_state(states, "node2", files=files), releases)
    assert changed(plan) == [
        ("node1", "stop"),
        ("node2", "stop"),
        ("node2", "overlay"),
        ("node1", "daemon"),
        ("node2", "daemon"),
    ]


def test_an_overlay_that_differs_in_every_file_is_not_called_missing(cluster, states, releases):
    files = {path: replace(file, mode=0o600) for path, file in states["node1"].files.items()}
    plan = deploy_steps(site_of(cluster), with_state(states, "node1", files=files), releases)
    (step,) = [step for step in plan.changes if step.stage is Stage.OVERLAY]
    count = len(releases["node1"].overlay)
    assert step.reason == f"{count} of {count} files differ"


def test_a_stranger_in_the_overlay_is_removed_and_python_s_cache_is_not(cluster, states, releases):
    names = (*states["node1"].overlay_names, "router_old.py", "__pycache__")
    plan = deploy_steps(site_of(cluster), with_state(states, "node1", overlay_names=names), releases)
    (step,) = [s for s in plan.changes if s.stage is Stage.OVERLAY]
    assert [a.command.text for a in step.actions] == [f"rm -rf {cluster.layout.overlay}/router_old.py"]


def test_one_dead_daemon_restarts_the_group_and_clears_what_it_left(cluster, states, releases):
    plan = deploy_steps(site_of(cluster), with_state(states, "node2", daemon_pid=None), releases)
    titles = [(s.node, s.title) for s in plan.changes]
    assert titles == [
        ("node1", "stop the daemon"),
        ("node2", "clear what the daemon left"),
        ("node1", "start the daemon"),
        ("node2", "start the daemon"),
    ]


def test_a_file_edited_by_hand_is_put_back_without_a_restart(cluster, states, releases):
    path = f"{cluster.layout.release}/config.json"
    files = {**states["node1"].files, path: replace(states["node1"].files[path], content=b"{}")}
    plan = deploy_steps(site_of(cluster), with_state(states, "node1", files=files), releases)
    assert changed(plan) == [("node1", "files")]


def test_a_mode_that_mindie_refuses_is_put_right(cluster, states, releases):
    path = f"{cluster.layout.release}/config.json"
    files = {**states["node1"].files, path: replace(states["node1"].files[path], mode=0o644)}
    plan = deploy_steps(site_of(cluster), with_state(states, "node1", files=files), releases)
    assert [s.reason for s in plan.changes] == ["mode is 0644, wanted 0640"]


def test_a_rebooted_node_gets_its_container_and_the_group_its_daemons(cluster, states, releases):
    container = states["node1"].container
    after = with_state(states, "node1", daemon_pid=None, container=replace(container, status="exited"))
    plan = deploy_steps(site_of(cluster), after, releases)
    assert changed(plan) == [
        ("node2", "stop"),
        ("node1", "container"),
        ("node1", "daemon"),
        ("node2", "daemon"),
    ]
    (step,) = [s for s in plan.changes if s.stage is Stage.CONTAINER]
    assert step.actions[0].command.text == f"docker start {cluster.container_name}"


def test_what_changed_since_the_plan_is_named(states):
    before = states["node1"]
    path = next(iter(before.files))
    assert drift(before, before) == []
    assert drift(before, replace(before, files={})) == list(before.files)
    edited = {**before.files, path: replace(before.files[path], mode=0o600)}
    assert drift(before, replace(before, files=edited)) == [path]
    assert drift(before, replace(before, daemon_pid=None)) == ["the daemon"]
    assert drift(before, replace(before, container=None)) == ["the container"]
