"""A real podman on the nodes of the lab, beside their Docker engine: the same verbs, the same end.

Leaves the service running under docker again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.lab import Lab
from tests.cluster.test_faults import CONTAINER, STATE, Done, changes, long_one, ok, repaired, rows

pytestmark = [
    long_one,
    # Debian and openEuler package them apart from Docker's engine, and `make test` does without.
    pytest.mark.skipif(
        not (shutil.which("podman") and Path("/usr/libexec/podman/catatonit").exists()),
        reason="podman and its init are not installed: apt-get install podman catatonit",
    ),
]


@pytest.fixture(scope="module")
def moved(lab: Lab) -> Iterator[tuple[Path, Done, Done]]:
    """The cluster with ``runtime: podman``; and what deploy and status said while docker still ran it."""
    ok(lab.lingctl("deploy", "--yes", "--no-smoke-test"))
    for name in lab.names:
        lab.add_podman(name)
    hosts = lab.write_hosts(lab.directory / "podman.yaml", runtime="podman")
    refused = lab.lingctl("deploy", "--yes", hosts=hosts)
    seen = lab.lingctl("status", "--json", hosts=hosts)
    ok(lab.lingctl("stop", "--yes"))
    yield hosts, refused, seen
    ok(lab.lingctl("stop", "--yes", hosts=hosts))
    ok(lab.lingctl("deploy", "--yes", "--no-smoke-test"))


@pytest.fixture(scope="module")
def hosts(moved: tuple[Path, Done, Done]) -> Path:
    return moved[0]


def test_a_service_under_docker_is_ended_before_one_begins_under_podman(moved: tuple[Path, Done, Done]):
    _, refused, seen = moved
    assert refused.returncode == 1 and "(container-elsewhere)" in refused.stderr
    assert f"docker rm -f {CONTAINER}" in refused.stderr
    assert seen.returncode == 3 and "runs under docker" in str(rows(seen)["node2"]["problems"])


def test_a_service_runs_under_podman_as_under_docker(lab: Lab, hosts: Path):
    done = ok(lab.lingctl("deploy", "--yes", hosts=hosts))
    assert "answers at" in done.stdout + done.stderr
    assert changes(repaired(lab, hosts)) == []
    assert all(row["healthy"] for row in rows(ok(lab.lingctl("status", "--json", hosts=hosts))).values())
    inspected = json.loads(lab.on("node2", "podman", "inspect", CONTAINER).stdout)[0]
    host = inspected["HostConfig"]
    assert (host["NetworkMode"], host["PidsLimit"], host["Privileged"]) == ("host", 0, False)
    assert host["ShmSize"] == 1 << 30
    lab.on("node2", "podman", "exec", CONTAINER, "test", "-c", "/dev/davinci1")
    for verb in ("deploy", "stop", "restart"):
        refused = lab.lingctl(verb, "--yes")
        assert refused.returncode == 1 and f"podman rm -f {CONTAINER}" in refused.stderr, verb


def test_what_fails_under_podman_is_repaired_by_a_deploy(lab: Lab, hosts: Path):
    repaired(lab, hosts)
    pid = (lab.root("node1") / STATE.lstrip("/") / "run/daemon.pid").read_text().strip()
    lab.on("node1", "podman", "exec", CONTAINER, "kill", "-9", pid)
    assert rows(lab.lingctl("status", "--json", hosts=hosts))["node1"]["daemon"] == "dead"
    assert ("node1", "start the daemon") in changes(repaired(lab, hosts))
    lab.on("node1", "podman", "kill", CONTAINER)
    lab.on("node2", "podman", "rm", "-f", CONTAINER)
    done = changes(repaired(lab, hosts))
    assert ("node1", f"start container {CONTAINER}") in done
    assert ("node2", f"run container {CONTAINER}") in done
    assert all(row["healthy"] for row in rows(ok(lab.lingctl("status", "--json", hosts=hosts))).values())


def test_a_rebooted_node_of_podman_is_brought_back(lab: Lab, hosts: Path):
    repaired(lab, hosts)
    lab.power_off("node2")
    # In memory on a real node: podman knows a reboot by it.
    shutil.rmtree(lab.directory / "nodes/node2/root/run")
    lab.boot("node2")
    lab.await_up("node2")
    seen = rows(lab.lingctl("status", "--json", hosts=hosts))["node2"]
    assert (seen["container"], seen["daemon"]) == ("created", "stopped")
    assert ("node2", f"start container {CONTAINER}") in changes(repaired(lab, hosts))
    assert all(row["healthy"] for row in rows(ok(lab.lingctl("status", "--json", hosts=hosts))).values())


def test_a_changed_release_and_the_way_back_under_podman(lab: Lab, hosts: Path):
    repaired(lab, hosts)
    before = rows(ok(lab.lingctl("status", "--json", hosts=hosts)))["node1"]["release"]
    more = "serving: {max_batch_size: 7}\n"
    other = lab.write_hosts(lab.directory / "podman-other.yaml", more, runtime="podman")
    ok(lab.lingctl("deploy", "--yes", hosts=other))
    ok(lab.lingctl("rollback", str(before), "--yes", hosts=hosts))
    assert changes(repaired(lab, hosts)) == []


def test_the_other_verbs_speak_to_podman(lab: Lab, hosts: Path, tmp_path: Path):
    repaired(lab, hosts)
    ok(lab.lingctl("restart", "--yes", hosts=hosts))
    assert "Daemon start success!" in ok(lab.lingctl("logs", "--since", "10m", hosts=hosts)).stdout
    patched = json.loads(ok(lab.lingctl("patch", "status", "--json", hosts=hosts)).stdout)
    assert {place["state"] for place in patched["places"]} == {"applied"}
    found = json.loads(lab.lingctl("check-network", "--json", hosts=hosts).stdout)["findings"]
    runtime = [one for one in found if one["check"] == "runtime"]
    assert [one["verdict"] for one in runtime] == ["pass", "pass"] and "podman" in runtime[0]["message"]
    ok(lab.lingctl("collect", "--to", str(tmp_path / "bundle.tar.gz"), hosts=hosts))
    shutil.unpack_archive(tmp_path / "bundle.tar.gz", tmp_path / "bundle")
    (described,) = (tmp_path / "bundle").rglob("node1/lingctl/container.json")
    assert CONTAINER in described.read_text() and "podman inspect" in described.read_text()


def test_a_node_without_podman_is_named(lab: Lab, hosts: Path):
    storage = lab.root("node2") / "etc/containers/storage.conf"
    text = storage.read_text()
    storage.write_text('[storage]\ndriver = "nonsense"\n')
    try:
        done = lab.lingctl("stop", "--yes", hosts=hosts)
    finally:
        storage.write_text(text)
    assert done.returncode == 1 and "node2: podman does not answer" in done.stderr
    assert "(podman-down)" in done.stderr
