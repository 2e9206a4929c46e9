"""Faults for real, on nodes with a real OpenSSH server and a real Docker engine.

Each ends in the right node and cause, the documented exit status, and a deploy that succeeds. The tests
share one lab and leave a service that runs. Those that take longest run where LINGCTL_CLUSTER=full is set
(``make cluster``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.lab import Lab

CONTAINER = "lingctl-lab"
STATE = "/var/lib/lingctl/lab"
long_one = pytest.mark.skipif(
    os.environ.get("LINGCTL_CLUSTER") != "full", reason="takes long; make cluster runs it"
)
Done = subprocess.CompletedProcess[str]


def ok(done: Done) -> Done:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def service(lab: Lab) -> Lab:
    """A service that runs."""
    ok(lab.lingctl("deploy", "--yes"))
    return lab


@pytest.fixture(scope="module")
def other(service: Lab) -> Path:
    """Another configuration of the same cluster."""
    return service.write_hosts(service.directory / "other.yaml", "serving: {max_batch_size: 7}\n")


def repaired(lab: Lab, hosts: Path | None = None) -> Done:
    """What every fault has to end in."""
    return ok(lab.lingctl("deploy", "--yes", "--no-smoke-test", "--json", hosts=hosts))


def changes(done: Done) -> list[tuple[str, str]]:
    plan = json.loads(done.stdout)["plan"]
    return [(step["node"], step["title"]) for step in plan["steps"] if step["state"] == "change"]


def on_disk(lab: Lab, name: str, path: str) -> Path:
    """A file of lingctl's on a node, from the outside."""
    return lab.root(name) / STATE.lstrip("/") / path


def wait_for(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)


def rows(done: Done) -> dict[str, dict[str, object]]:
    return {row["node"]: row for row in json.loads(done.stdout)["nodes"]}


def test_a_second_deploy_finds_nothing_to_do(service: Lab):
    assert changes(repaired(service)) == []
    inspected = json.loads(service.on("node2", "docker", "inspect", CONTAINER).stdout)[0]
    assert inspected["State"]["Running"] and inspected["HostConfig"]["NetworkMode"] == "host"
    assert not inspected["HostConfig"]["Privileged"]
    devices = {device["PathOnHost"] for device in inspected["HostConfig"]["Devices"]}
    assert devices >= {"/dev/davinci0", "/dev/davinci1", "/dev/davinci_manager"}


def test_a_killed_daemon_is_told_and_the_group_started_again(service: Lab):
    pid = on_disk(service, "node2", "run/daemon.pid").read_text().strip()
    service.on("node2", "docker", "exec", CONTAINER, "kill", "-9", pid)
    time.sleep(0.5)
    status = service.lingctl("status", "--json")
    assert status.returncode == 3
    assert (rows(status)["node2"]["daemon"], rows(status)["node2"]["healthy"]) == ("dead", False)
    done = changes(repaired(service))
    assert ("node2", "start the daemon") in done and ("node1", "start the daemon") in done
    assert not any("container" in title for _, title in done)


def test_a_lost_container_is_made_again_and_a_stopped_one_started(service: Lab):
    service.on("node1", "docker", "rm", "-f", CONTAINER)
    service.on("node2", "docker", "kill", CONTAINER)
    done = changes(repaired(service))
    assert ("node1", f"run container {CONTAINER}") in done
    assert ("node2", f"start container {CONTAINER}") in done


def test_a_full_disk_is_told_by_the_check_before_anything_is_changed(service: Lab, other: Path):
    before = on_disk(service, "node2", "release/config.json").read_bytes()
    service.on("node2", "sh", "-c", "cat /dev/zero >/var/lib/lingctl/ballast", check=False)
    try:
        done = service.lingctl("deploy", "--yes", hosts=other)
        assert done.returncode == 3
        assert "node2" in done.stderr and "no space for" in done.stderr
        assert on_disk(service, "node2", "release/config.json").read_bytes() == before
    finally:
        service.on("node2", "rm", "/var/lib/lingctl/ballast")


_SMALL_DISK = """
set -e
cp -a "$1" /tmp/release
mount -t tmpfs -o "$2" tmpfs "$1"
cp -a /tmp/release/. "$1"
[ -z "$3" ] || cat /dev/zero >"$1/ballast" 2>/dev/null || true
"""


@pytest.mark.parametrize(
    ("options", "ballast", "says"),
    [
        pytest.param("size=128k,mode=750", "yes", "is full", id="bytes"),
        # Which words follow from which error, test_put.py shows on a disk of its own.
        pytest.param("nr_inodes=%d,mode=750", "", "has no inode left", marks=long_one, id="inodes"),
    ],
)
def test_a_disk_that_is_full_when_a_file_is_put_leaves_the_old_one_and_no_done(
    service: Lab, other: Path, options: str, ballast: str, says: str
):
    """The check looks at the disk of lingctl's folder; the release's files lie on another."""
    folder = f"{STATE}/release"
    before = on_disk(service, "node2", "release/config.json").read_bytes()
    names = sorted(path.name for path in on_disk(service, "node2", "release").iterdir())
    if "%d" in options:
        files = service.on("node2", "find", folder).stdout.split()
        options %= len(files)
    service.on("node2", "sh", "-c", _SMALL_DISK, "sh", folder, options, ballast)
    try:
        done = service.lingctl("deploy", "--yes", "--json", hosts=other)
        document = json.loads(done.stdout)
        assert (done.returncode, document["code"]) == (1, "disk-full"), done.stderr
        assert "node2" in document["where"] and f"{folder} {says}" in document["what"]
        assert on_disk(service, "node2", "release/config.json").read_bytes() == before
        left = {path.name for path in on_disk(service, "node2", "release").iterdir()} - {"ballast"}
        assert sorted(left) == names
        last = json.loads(on_disk(service, "node2", "audit.log").read_text().splitlines()[-1])
        assert last["result"] == "failed"
    finally:
        service.on("node2", "sh", "-c", f"umount {folder}; rm -rf /tmp/release")
    repaired(service)


def test_a_second_lingctl_is_refused(service: Lab, other: Path):
    first = service.start("deploy", "--yes", "--no-smoke-test", hosts=other)
    wait_for(on_disk(service, "node1", "lock").exists, first)
    refused = service.lingctl("stop", "--yes")
    assert refused.returncode == 5
    assert "lingctl deploy by " in refused.stderr and "lingctl lock release" in refused.stderr
    _, err = first.communicate(timeout=100)
    assert first.returncode == 0, err
    assert service.lingctl("lock", "status").stdout.strip() == "free"


def test_rollback_brings_the_earlier_release_back(service: Lab, other: Path):
    ok(service.lingctl("deploy", "--yes"))
    before = on_disk(service, "node1", "release/config.json").read_bytes()
    ok(service.lingctl("deploy", "--yes", "--no-smoke-test", hosts=other))
    assert on_disk(service, "node1", "release/config.json").read_bytes() != before
    ok(service.lingctl("rollback", "--yes"))
    assert on_disk(service, "node1", "release/config.json").read_bytes() == before
    listed = json.loads(ok(service.lingctl("releases", "--json")).stdout)["releases"]
    (current,) = [row for row in listed if row["current"]]
    assert current["proved"] and current["id"] != listed[0]["id"]
    assert changes(repaired(service)) == []


KILL_POINTS = [
    pytest.param("lock", marks=long_one, id="lock-taken"),
    pytest.param("release/config.json", id="first-file-written"),
    pytest.param("run/daemon.pid", marks=long_one, id="daemon-started"),
]


@pytest.mark.parametrize("mark", KILL_POINTS)
def test_kill_9_leaves_nothing_that_a_person_has_to_understand(service: Lab, other: Path, mark: str):
    repaired(service)
    path = on_disk(service, "node1", mark)
    before = path.read_bytes() if path.is_file() else None
    process = service.start("deploy", "--yes", hosts=other)
    wait_for(lambda: path.exists() and (path.is_dir() or path.read_bytes() != before), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    again = repaired(service, other)
    assert mark == "lock" or "half-done before, gone on with now: lingctl deploy by" in again.stderr
    assert changes(repaired(service, other)) == []


def test_an_interrupt_ends_soon_and_gives_the_lock_back(service: Lab, other: Path):
    repaired(service)
    process = service.start("deploy", "--yes", hosts=other)
    wait_for(on_disk(service, "node1", "lock").exists, process)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130, err
    assert time.monotonic() - started < 15
    assert service.lingctl("lock", "status").stdout.strip() == "free"


def test_a_dead_ssh_server_is_an_unreachable_node(service: Lab):
    service.on("node2", "sh", "-c", "kill $(cat /run/sshd.pid)")
    try:
        done = service.lingctl("status")
        assert done.returncode == 3 and "unreachable" in done.stdout
        done = service.lingctl("deploy", "--yes")
        assert done.returncode == 4
        assert "node2" in done.stderr
    finally:
        service.on("node2", "/usr/sbin/sshd", "-f", "/etc/ssh/sshd_config")


def test_a_changed_host_key_stops_before_anything_is_sent(service: Lab):
    key, new = service.root("node2") / "etc/ssh/host", service.directory / "new"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(new)], check=True)
    right = key.read_bytes()
    try:
        key.write_bytes(new.read_bytes())
        service.on("node2", "sh", "-c", "kill -HUP $(cat /run/sshd.pid)")
        time.sleep(0.3)
        done = service.lingctl("deploy", "--yes")
        assert done.returncode == 4
        assert "host-key-changed" in done.stderr and "node2" in done.stderr
    finally:
        key.write_bytes(right)
        service.on("node2", "sh", "-c", "kill -HUP $(cat /run/sshd.pid)")
        time.sleep(0.3)


@long_one
def test_docker_down_is_named_with_its_node(service: Lab):
    service.stop_docker("node2")
    try:
        done = service.lingctl("deploy", "--yes")
    finally:
        service.start_docker("node2")
    assert done.returncode in (1, 3)
    assert "node2" in done.stderr and "docker" in done.stderr
    repaired(service)


@long_one
def test_a_second_lingctl_may_wait(service: Lab, other: Path):
    first = service.start("deploy", "--yes", "--no-smoke-test", hosts=other)
    wait_for(on_disk(service, "node1", "lock").exists, first)
    ok(service.lingctl("restart", "--yes", "--lock-wait", "100"))
    _, err = first.communicate(timeout=100)
    assert first.returncode == 0, err


@long_one
def test_a_cut_link_is_an_unreachable_node(service: Lab, other: Path):
    repaired(service)
    process = service.start("deploy", "--yes", hosts=other)
    wait_for(on_disk(service, "node1", "lock").exists, process)
    service.cut("node2")
    try:
        _, err = process.communicate(timeout=100)
        assert process.returncode == 4, err
        assert "node2" in err
    finally:
        service.mend("node2")
    repaired(service)


@long_one
@pytest.mark.parametrize("path", ["node.pyz", "overlay/bailing_moe/modeling_bailing_moe.py"])
def test_a_link_cut_in_the_middle_of_an_upload_leaves_no_torn_file(service: Lab, path: str):
    repaired(service)
    target = on_disk(service, "node2", path)
    whole = target.read_bytes()
    target.unlink()
    part = target.with_name(f".{target.name}.part")
    with service.slow("node2"):
        process = service.start("deploy", "--yes")
        wait_for(lambda: part.exists(), process)
        service.cut("node2")
        try:
            _, err = process.communicate(timeout=100)
        finally:
            service.mend("node2")
    assert process.returncode == 4, err
    assert "node2" in err and not target.exists()
    repaired(service)
    assert target.read_bytes() == whole and not part.exists()
    assert changes(repaired(service)) == []


@long_one
def test_a_wrong_clock_is_named_before_anything_is_started(service: Lab):
    ok(service.lingctl("stop", "--yes"))
    # A namespace has no clock of its own for the day; scripts ask date.
    date = service.root("node2") / "usr/local/bin/date"
    date.write_text('#!/bin/sh\nexec /usr/bin/date -d "now +900 seconds" "$@"\n')
    date.chmod(0o755)
    try:
        done = service.lingctl("deploy", "--yes")
    finally:
        date.unlink()
    assert done.returncode == 3
    assert "clock" in done.stdout + done.stderr and "node2" in done.stdout + done.stderr
    assert ("node1", "start the daemon") in changes(repaired(service))


@long_one
def test_a_frozen_node_is_an_unreachable_node(service: Lab, other: Path):
    process = service.start("deploy", "--yes", hosts=other)
    wait_for(on_disk(service, "node1", "lock").exists, process)
    service.freeze("node2")
    try:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 4, err
        assert "node2" in err
    finally:
        service.thaw("node2")
    repaired(service)


@long_one
def test_a_taken_port_is_named_before_the_model_is_loaded(service: Lab):
    ok(service.lingctl("stop", "--yes"))
    listen = (
        f"import socket, time; s = socket.create_server(('{service.address('node1')}', 1025)); time.sleep(90)"
    )
    started = service.on("node1", "sh", "-c", f'/.sandbox/python -c "{listen}" >/dev/null 2>&1 & echo $!')
    time.sleep(1)
    try:
        done = service.lingctl("deploy", "--yes")
        assert done.returncode == 3
        assert "node1" in done.stderr and "1025" in done.stderr
    finally:
        pid = started.stdout.strip()
        service.on("node1", "sh", "-c", f"pkill -P {pid}; kill {pid}", check=False)
    repaired(service)


@long_one
def test_a_rebooted_node_is_brought_back(service: Lab):
    service.power_off("node2")
    gone = service.lingctl("status")
    assert gone.returncode == 3 and "unreachable" in gone.stdout
    service.boot("node2")
    service.await_up("node2")
    assert rows(service.lingctl("status", "--json"))["node2"]["daemon"] != "running"
    assert ("node2", "start the daemon") in changes(repaired(service))


@long_one
def test_the_evidence_is_packed_without_secrets_and_with_a_node_missing(service: Lab, tmp_path: Path):
    repaired(service)
    service.on("node1", "sh", "-c", f"echo 'export HF_TOKEN=hunter2' >>{STATE}/release/environment.sh")
    service.cut("node2")
    try:
        done = service.lingctl("collect", "--no-check", "--to", str(tmp_path / "evidence.tar.gz"))
    finally:
        service.mend("node2")
    assert done.returncode == 3
    subprocess.run(["tar", "-xzf", str(tmp_path / "evidence.tar.gz"), "-C", str(tmp_path)], check=True)
    folder = tmp_path / "evidence"
    assert "node2: nothing could be gathered" in (folder / "README.txt").read_text()
    assert "Daemon start success!" in (folder / "node1/worker-0.log").read_text()
    environment = (folder / "node1/lingctl/release/environment.sh").read_text()
    assert "HF_TOKEN=[removed]" in environment and "hunter2" not in environment
