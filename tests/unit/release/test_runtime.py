"""Container runtimes: the commands for each, and a container that runs under another than hosts.yaml says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from lingctl.ascend.questions import questions
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.engine.container import run_command
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError, NodeError
from lingctl.flows.look.runtime import image_missing, need_container_nowhere_else
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.runtime import DOCKER, PODMAN, RUNTIMES
from lingctl.inventory.sections import Container, NodeSsh, Ssh
from lingctl.plan import Run
from lingctl.release import daemon
from lingctl.release.evidence.gathered import gather_command
from lingctl.release.planning import deploy_steps
from lingctl.release.site import site_of
from lingctl.release.state import ContainerState, NodeState, state_questions
from lingctl.remote import runtime as commands
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.remote.runtime import elsewhere_command, read_elsewhere
from tests.unit.release.conftest import cluster_of, deployed, releases_of


def under(runtime: str, *names: str) -> Cluster:
    return cluster_of(*(names or ("node1",)), container=Container(runtime=runtime))


def texts(cluster: Cluster) -> list[str]:
    """Every command that a deploy, a look, a stop and a collect send."""
    releases = releases_of(cluster)
    whole = {name: deployed(cluster, release) for name, release in releases.items()}
    states = [
        {name: NodeState(name) for name in releases},
        {name: replace(s, container=ContainerState("running", "other", "i")) for name, s in whole.items()},
        {name: replace(s, container=replace(s.container, status="exited")) for name, s in whole.items()},
    ]
    site = site_of(cluster)
    plans = [deploy_steps(site, state, releases) for state in states]
    steps = [step for plan in plans for step in plan.steps]
    ran = [action.command.text for step in steps for action in step.actions if isinstance(action, Run)]
    asked = state_questions(site, "i", (), "/secret")
    asked += questions(Scope((), image="i", runtime=cluster.runtime), NodeScope("node1", (0,)))
    more = [
        daemon.look_command(site),
        daemon.watch_command(site, cluster.primary.name),
        daemon.processes_command(site),
        daemon.errors_command(site),
        gather_command(site, cluster.primary.name),
    ]
    return ran + [one.text for one in more] + [question.command.text for question in asked]


def test_podman_is_sent_nothing_that_names_docker():
    sent = texts(under("podman"))
    assert [text for text in sent if "docker" in text] == []
    assert sum("podman" in text for text in sent) == sum("docker" in text for text in texts(under("docker")))


def test_a_container_of_podman_has_what_one_of_docker_has():
    docker = releases_of(under("docker"))["node1"].container
    podman = releases_of(under("podman"))["node1"].container
    words = run_command(PODMAN, podman).text
    assert words.startswith("podman run -d --name lingctl-ling ")
    assert " --pids-limit -1 --security-opt label=disable " in words
    less = words.replace(" --pids-limit -1 --security-opt label=disable", "")
    assert less.replace("podman run", "docker run") == run_command(DOCKER, docker).text
    # So a recorded release can come back under either.
    assert podman.digest == docker.digest


def test_the_container_may_write_in_the_daemons_folder_and_in_no_other_of_ours():
    cluster = under("docker", "node1")
    run, *_ = [text for text in texts(cluster) if text.startswith("docker run ")]
    mounts = [word.split(":") for word in run.split() if word.startswith(cluster.state_dir)]
    writable = {mount[0] for mount in mounts if mount[2:] != ["ro"]}
    assert writable == {f"{cluster.state_dir}/run"}
    assert [cluster.state_dir, cluster.state_dir, "ro"] in mounts


@pytest.mark.parametrize("target", ["/usr/local/Ascend/driver", "/home/HwHiAiUser/Ascend/", "{state}/run"])
def test_a_mount_whose_target_is_taken_is_refused_before_the_runtime_does(target: str):
    mount = f"/data:{target.format(state=cluster_of('node1').state_dir)}"
    cluster = cluster_of("node1", container=Container(extra_mounts=(mount,)))
    with pytest.raises(ConfigurationError, match="mounts itself"):
        engine_of(cluster).container(cluster, cluster.primary)


def test_a_missing_image_is_got_with_the_runtime_that_is_used():
    remedy = image_missing(PODMAN, "no image", "mindie:1", "node1").remedy
    assert "podman pull mindie:1" in remedy and "podman load" in remedy and "docker" not in remedy


def test_only_root_can_give_cards_to_podmans_containers():
    assert under("podman").runtime is PODMAN
    assert cluster_of("node1", ssh=Ssh(user="ops")).runtime is DOCKER
    with pytest.raises(ValidationError, match="and node1, node2 is logged in to"):
        cluster_of("node1", "node2", container=Container(runtime="podman"), ssh=Ssh(user="ops"))
    one = under("podman", "node1", "node2")
    nodes = (one.nodes[0], one.nodes[1].model_copy(update={"ssh": NodeSsh(user="ops")}))
    with pytest.raises(ValidationError, match="node2 is logged in to"):
        Cluster(name="ling", model="ling-lite", nodes=nodes, container=Container(runtime="podman"))


PROGRAM = """#!/bin/sh
[ "$1" = --version ] && {{ echo "{version}"; exit 0; }}
{says}
"""
RUNS = 'echo "level=warning msg=odd" >&2; echo running'
ABSENT = "echo 'Error: No such object: lingctl-ling' >&2; exit 1"
DOWN = "echo 'Cannot connect to the Docker daemon' >&2; exit 1"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts stand-ins for both runtimes on the path, of which only docker is the other one here."""

    def put(says: str, version: str = "Docker version 24", *, alive: bool = True) -> None:
        for name, text in {
            "podman": PROGRAM.format(version="podman version 4.3.1", says=ABSENT),
            "docker": PROGRAM.format(version=version, says=says),
        }.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        place = tmp_path if alive else tmp_path / "absent"
        changed = {name: replace(one, alive=str(place)) for name, one in RUNTIMES.items()}
        monkeypatch.setattr(commands, "RUNTIMES", changed)

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return put


def elsewhere() -> dict[str, bool]:
    done = LocalConnection("node1").run(elsewhere_command(PODMAN, "lingctl-ling")).checked("node1")
    return {other.program: runs for other, runs in read_elsewhere(PODMAN, done.stdout).items()}


@pytest.mark.parametrize(
    ("says", "found"), [(RUNS, {"docker": True}), (DOWN, {"docker": False}), (ABSENT, {})]
)
def test_what_runs_under_another_runtime_is_seen(programs, says, found):
    programs(says)
    assert elsewhere() == found
    programs(says, alive=False)
    assert elsewhere() == {}
    programs("echo exited")
    assert elsewhere() == {}


def test_podman_by_the_name_of_docker_is_no_other_runtime(programs):
    programs(RUNS, "podman version 4.3.1")
    assert elsewhere() == {}


@pytest.mark.parametrize(
    ("says", "code", "remedy"),
    [(RUNS, "container-elsewhere", "docker rm -f lingctl-ling"), (DOWN, "docker-down", "start docker")],
)
def test_nothing_is_begun_while_another_runtime_may_hold_the_cards(programs, says, code, remedy):
    programs(says)
    group = Group({"node1": LocalConnection("node1")})
    with pytest.raises(NodeError) as caught:
        need_container_nowhere_else(group, site_of(under("podman")))
    assert caught.value.code == code and remedy in caught.value.remedy and caught.value.where == "node1"
    programs(ABSENT)
    need_container_nowhere_else(group, site_of(under("podman")))
