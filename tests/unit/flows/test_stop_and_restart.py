"""What stop and restart see of a node: a container or file that does not tell is not one that is absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import LingctlError, NodeError, UsageError
from lingctl.flows.change.restart import plan_restart
from lingctl.flows.change.stop import plan_stop
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.plan import Plan, Stage
from lingctl.release.site import site_of
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of

NODES = Group({"node1": LocalConnection("node1")})
ABSENT = 'echo "Error: No such object: x" >&2; exit 1'
STOPPED = json.dumps([{"Config": {"Labels": {}, "Image": "i"}, "State": {"Status": "exited"}}])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return cluster_of("node1", paths=Paths(state=str(tmp_path)))


def docker(tmp_path: Path, inspect: str, version: str = "echo 20.10") -> None:
    """A docker that does as it is told; images are not there."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "docker"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in\ninspect) {inspect} ;;\nversion) {version} ;;\nimage) {ABSENT} ;;\nesac\n'
    )
    program.chmod(0o755)


def stop(cluster: Cluster) -> Plan:
    return plan_stop(NODES, site_of(cluster))


def test_only_a_container_that_is_known_not_to_run_needs_no_stop(cluster: Cluster, tmp_path: Path) -> None:
    docker(tmp_path, ABSENT)
    assert [step.reason for step in stop(cluster).steps] == ["the container is absent"]


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        ("echo exited", "in place", "the container is exited"),
        ("echo created", "in place", "the container is created"),
        ("echo initialized", "in place", "the container is initialized"),
        ("echo level=warning >&2; echo running", "change", "it runs"),
        ("echo paused", "change", "it is paused"),
        ("echo restarting", "change", "it is restarting"),
    ],
)
def test_what_may_hold_the_cards_in_a_container_is_to_be_stopped(
    cluster: Cluster, tmp_path: Path, said: str, state: str, reason: str
) -> None:
    docker(tmp_path, said)
    assert [(step.state, step.reason) for step in stop(cluster).steps] == [(state, reason)]


def test_a_container_without_a_state_is_not_one_that_does_not_run(cluster: Cluster, tmp_path: Path) -> None:
    docker(tmp_path, "true")
    with pytest.raises(NodeError) as caught:
        stop(cluster)
    assert caught.value.code == "container-unreadable"


@pytest.mark.parametrize(
    ("version", "code"), [("echo 20.10", "container-unreadable"), ("echo no >&2; exit 1", "docker-down")]
)
def test_a_container_that_its_runtime_does_not_tell_of_may_run(
    cluster: Cluster, tmp_path: Path, version: str, code: str
) -> None:
    docker(tmp_path, "echo damaged >&2; exit 1", version)
    with pytest.raises(NodeError) as caught:
        stop(cluster)
    assert caught.value.code == code


def restart_of(cluster: Cluster) -> tuple[Plan, Cluster] | LingctlError:
    try:
        return plan_restart(NODES, cluster)
    except LingctlError as error:
        return error


def test_what_was_started_last_is_started_again_only_where_that_is_known(
    cluster: Cluster, tmp_path: Path
) -> None:
    docker(tmp_path, f"case $* in *--format*) echo exited ;; *) echo '{STOPPED}' ;; esac")
    last = tmp_path / cluster.name / "run" / "last-started"
    last.parent.mkdir(parents=True)
    last.mkdir()  # there, and of no use
    told = restart_of(cluster)
    assert isinstance(told, NodeError) and told.code == "file-unreadable"
    last.rmdir()
    assert isinstance(restart_of(cluster), UsageError)
    last.write_text("d1g35t\n12345\n")
    plan, _ = plan_restart(NODES, cluster)
    assert [step.stage for step in plan.changes] == [Stage.CONTAINER, Stage.DAEMON]
