"""Starting, stopping and looking at a daemon, with real processes; docker only passes the words on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.flows.look.daemon import look_at_daemon
from lingctl.flows.look.evidence.node_archive import archive_members
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths, Timeouts
from lingctl.mindie.profile import profile_for
from lingctl.release import daemon
from lingctl.release.daemon import (
    errors_command,
    look_command,
    processes_command,
    read_look,
    start_command,
    stop_command,
)
from lingctl.release.evidence import gathered as evidence
from lingctl.release.evidence.gathered import gather_command, lengths_before
from lingctl.release.site import Site, site_of
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile
from tests.unit.mindie.samples import render_environment, render_start
from tests.unit.release.conftest import cluster_of

node = LocalConnection("node1")
DOCKER = """#!/bin/sh
[ "$1" = exec ] || exit 99
shift
if [ "$1" = -d ]; then shift 2; setsid "$@" >/dev/null 2>&1 </dev/null & exit 0; fi
shift
exec "$@"
"""
START = """
run={run}
cd "$run"
set -m
{daemon} >console.log 2>&1 &
set +m
pid=$!
echo "$pid" >daemon.pid
wait "$pid"
echo "$?" >daemon.exit
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "docker").write_text(DOCKER)
    (tools / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(daemon, "_PAUSE_SECONDS", 0)
    return cluster_of("node1", paths=Paths(state=str(tmp_path)), timeouts=Timeouts(stop=1))


def start(cluster: Cluster, program: str, site: Site | None = None) -> int:
    layout = cluster.layout
    node.put(WriteFile(layout.start, START.format(run=layout.run, daemon=program).encode(), 0o750))
    node.run(start_command(site or site_of(cluster), "d1g35t")).checked("node1")
    pid = read_look(node.run(look_command(site_of(cluster))).stdout).pid
    assert pid is not None
    return pid


def group(pid: int) -> list[str]:
    """Processes of a process group that are no zombies."""
    listed = subprocess.run(["ps", "-eo", "pgid=,pid=,stat="], capture_output=True, text=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [number for leader, number, state in rows if leader == str(pid) and not state.startswith("Z")]


def wait_for(what) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stop(cluster: Cluster) -> str:
    return node.run(stop_command(site_of(cluster), cluster.primary.name)).checked("node1").stdout


def look(cluster: Cluster):
    return read_look(node.run(look_command(site_of(cluster))).stdout)


def test_a_started_daemon_is_seen_with_its_release(cluster):
    pid = start(cluster, "sleep 60")
    seen = look(cluster)
    assert (seen.pid, seen.started) == (pid, "d1g35t")
    assert stop(cluster) == ""
    assert (look(cluster).pid, look(cluster).started) == (None, "")


@pytest.mark.parametrize("file", ["pid", "started"])
def test_a_daemon_is_not_called_dead_or_stopped_where_its_files_cannot_be_read(cluster, file):
    start(cluster, "sleep 60")
    path = Path(getattr(cluster.layout, file))
    kept = path.rename(path.with_name("kept"))
    path.mkdir()  # there, and nothing can be read from it
    seen = look(cluster)
    path.rmdir()
    kept.rename(path)
    assert seen.pid is None and "Is a directory" in seen.unknown
    assert look(cluster).pid is not None
    stop(cluster)


def test_what_the_loader_says_of_every_program_is_no_part_of_the_daemons_files(cluster, monkeypatch):
    pid = start(cluster, "sleep 60")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere/libjemalloc.so")  # a warning from each program that is started
    seen = look(cluster)
    path = Path(cluster.layout.pid)
    kept = path.rename(path.with_name("kept"))
    path.mkdir()
    without = look(cluster)
    path.rmdir()
    kept.rename(path)
    assert stop(cluster) == ""
    assert (seen.pid, seen.started) == (pid, "d1g35t")
    assert (without.pid, without.started) == (None, "d1g35t") and "Is a directory" in without.unknown


@pytest.mark.parametrize(("state", "known"), [("exited", True), ("running", False)])
def test_the_state_of_a_container_is_understood_behind_a_warning_of_its_runtime(
    cluster, tmp_path, state, known
):
    said = f"echo level=warning >&2; echo {state}"
    (tmp_path / "tools/docker").write_text(f'#!/bin/sh\n[ "$1" = inspect ] || exit 1\n{said}\n')
    assert (look(cluster).pid, look(cluster).unknown == "") == (None, known)


def test_a_daemon_that_died_is_not_seen_but_was_started(cluster):
    pid = start(cluster, "sleep 60")
    os.kill(pid, 9)
    wait_for(lambda: look(cluster).pid is None)
    assert look(cluster).started == "d1g35t"


def test_another_process_with_its_number_is_not_taken_for_it(cluster):
    pid = start(cluster, "sleep 60")
    os.kill(pid, 9)
    with subprocess.Popen(["sleep", "60"]) as other:
        Path(cluster.layout.pid).write_text(f"{other.pid}\n")
        assert look(cluster).pid is None
        stop(cluster)
        assert other.poll() is None
        other.kill()


def test_a_session_that_took_its_number_since_is_left_alone(cluster):
    pid = start(cluster, "sleep 60")
    os.kill(pid, 9)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        Path(cluster.layout.pid).write_text(f"{other.pid}\n")
        assert stop(cluster) == ""
        assert other.poll() is None
        other.kill()


def test_the_success_line_is_seen_however_much_was_printed_since(cluster):
    daemon_text = 'sh -c "echo Daemon start success!; yes a request was answered | head -n 9000; sleep 60"'
    start(cluster, daemon_text)
    deadline = time.monotonic() + 10
    while Path(cluster.layout.console).stat().st_size < 9000 * 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    seen = look_at_daemon(node, site_of(cluster))
    assert seen.alive and seen.succeeded
    assert seen.console.endswith("a request was answered\n") and len(seen.console) < 41_000
    stop(cluster)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_the_success_line_is_seen_on_both_sides_of_the_hole_of_a_long_console(cluster, where):
    start(cluster, "sleep 60")
    with Path(cluster.layout.console).open("r+b") as console:
        console.seek({"before": 15_000_000, "behind": 299_000_000}[where])
        console.write(b"\nDaemon start success!\n")
        console.seek(300_000_000)
        console.write(b"a request was answered\n" * 3000)
    seen = look_at_daemon(node, site_of(cluster))
    assert seen.succeeded and "\0" not in seen.console
    stop(cluster)


def test_a_daemon_that_will_not_end_is_killed_with_its_workers(cluster):
    pid = start(cluster, """sh -c "trap '' TERM; sleep 61 & sleep 62; sleep 63" """)
    wait_for(lambda: len(group(pid)) >= 3)
    assert "killed what did not end by itself" in stop(cluster)
    wait_for(lambda: look(cluster).pid is None)
    assert not group(pid)


def test_workers_of_a_dead_daemon_are_cleared(cluster):
    pid = start(cluster, """sh -c "sleep 61 & sleep 62" """)
    wait_for(lambda: len(group(pid)) >= 3)
    os.kill(pid, 9)
    wait_for(lambda: look(cluster).pid is None)
    assert "killed" in stop(cluster)
    assert not group(pid)


def test_the_worker_that_a_stopped_follower_leaves_is_ended_and_waited_for(cluster):
    # As MindIE 3.0.0 does: the daemon leads its group and aborts on SIGTERM; its worker lives on.
    pid = start(cluster, """sh -c 'sleep 61 & trap "kill -ABRT $$" TERM; while :; do sleep 0.1; done' """)
    wait_for(lambda: len(group(pid)) >= 2)
    assert "killed what did not end by itself" in stop(cluster)
    assert not group(pid)


# How vLLM's processes stand: engine and worker in the daemon's group; a launcher's worker may be in no group
# of ours. The kernel names them as their files; each test run has names of its own.
TREE = """
{worker} 300 & setsid {worker} 301 &
exec sleep 302
"""


@pytest.fixture
def tree(tmp_path: Path) -> tuple[str, str]:
    """A daemon with a worker in its group and one outside of it, and how their names begin."""
    name = f"V::{os.getpid()}"
    worker = tmp_path / f"{name}-worker"
    shutil.copy(shutil.which("sleep") or "", worker)
    program = tmp_path / "serve"
    program.write_text(TREE.format(worker=worker))
    return f"sh {program}", name


def named_processes(name: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "comm=,pid=,stat="], capture_output=True, text=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [row[1] for row in rows if row[0].startswith(name) and not row[2].startswith("Z")]


def counted(site: Site) -> int:
    return int(node.run(processes_command(site)).checked("node1").stdout)


def test_workers_that_serve_on_without_their_parent_are_counted_and_ended_wherever_they_stand(cluster, tree):
    program, name = tree
    site = replace(site_of(cluster), process_names=(name,))
    pid = start(cluster, program, site)
    wait_for(lambda: len(named_processes(name)) == 2)
    assert counted(site) == 3
    os.kill(pid, 9)
    wait_for(lambda: look(cluster).pid is None)
    assert counted(site) == 2
    told = node.run(stop_command(site, "node1")).checked("node1").stdout
    assert told.startswith("killed what did not end by itself")
    wait_for(lambda: not named_processes(name))
    assert counted(site) == 0


def test_what_is_left_is_ended_where_the_number_of_the_daemon_is_lost_or_is_another_s(cluster, tree):
    program, name = tree
    site = replace(site_of(cluster), process_names=(name,))
    pid = start(cluster, program, site)
    wait_for(lambda: len(named_processes(name)) == 2)
    os.kill(pid, 9)
    wait_for(lambda: look(cluster).pid is None)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        Path(cluster.layout.pid).write_text(f"{other.pid}\n")
        node.run(stop_command(site, "node1")).checked("node1")
        wait_for(lambda: not named_processes(name))
        assert other.poll() is None
        other.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take another root")
def test_processes_of_another_root_are_nobody_of_this_container_s(cluster):
    """A name alone is no proof: the engine may run a second time, in another container on the same host."""
    name = f"V::{os.getpid()}"
    program = (
        "import ctypes, os, sys, time\n"
        f"ctypes.CDLL(None).prctl(15, b'{name}-worker')\n"
        "os.chroot('/usr')\n"
        "print('there', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "there\n"
        assert len(named_processes(name)) == 1
        site = replace(site_of(cluster), process_names=(name,))
        assert counted(site) == 0
        node.run(stop_command(site, "node1")).checked("node1")
        assert other.poll() is None
        other.kill()


def test_a_daemon_that_makes_its_own_process_group_starts_and_is_found(cluster, tmp_path):
    # What mindie_llm_server does first; the kernel refuses it to the leader of a session.
    program = tmp_path / "daemon.py"
    program.write_text("import os, time\nos.setpgrp()\nprint('up', flush=True)\ntime.sleep(60)\n")
    cluster = cluster.model_copy(update={"mindie": "3.0.0"})
    profile = replace(
        profile_for("3.0.0"),
        directory=str(tmp_path),
        daemon=(sys.executable, str(program)),
        set_env=(),
        libraries=(),
    )
    layout = cluster.layout
    node.put(
        WriteFile(layout.environment, render_environment(cluster, cluster.primary, profile).encode(), 0o640)
    )
    node.put(WriteFile(layout.start, render_start(cluster, cluster.primary, profile).encode(), 0o750))
    node.run(start_command(site_of(cluster), "d1g35t")).checked("node1")
    wait_for(lambda: "up" in Path(layout.console).read_text())
    seen = look(cluster)
    assert seen.pid is not None and os.getpgid(seen.pid) == seen.pid != os.getsid(seen.pid)
    assert stop(cluster) == ""


def test_after_force_it_waits_until_the_cards_are_free(cluster, tmp_path, monkeypatch):
    usage = tmp_path / "tools" / "npu-smi"
    usage.write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/asked\n"
        f"[ $(wc -l <{tmp_path}/asked) -lt 2 ] && rate=90 || rate=3\n"
        'echo "        HBM Usage Rate(%)              : $rate"\n'
    )
    usage.chmod(0o755)
    start(cluster, """sh -c "trap '' TERM; sleep 62; sleep 63" """)
    stop(cluster)
    assert len((tmp_path / "asked").read_text().split()) == 1 + len(cluster.primary.devices)


def test_a_start_script_that_ends_at_once_is_no_error_of_the_start(cluster):
    layout = cluster.layout
    node.put(WriteFile(layout.start, f"cd {layout.run}; echo 1 >daemon.exit".encode(), 0o750))
    node.run(start_command(site_of(cluster), "d1g35t")).checked("node1")
    assert look(cluster).pid is None


def test_a_log_that_goes_on_tells_of_the_last_start_only(cluster, tmp_path):
    logs = tmp_path / "its logs"
    logs.mkdir()
    site = replace(site_of(cluster), log_places=(str(logs),))
    for name in ("goes on.log", "anew.log", "silent.log"):
        (logs / name).write_text("[ERROR] of an earlier start, at length\n")
    node.put(
        WriteFile(cluster.layout.start, START.format(run=site.layout.run, daemon="true").encode(), 0o750)
    )
    node.run(start_command(site, "d1g35t")).checked("node1")
    with (logs / "goes on.log").open("a") as log:
        log.write("[ERROR] one\n")
    (logs / "anew.log").write_text("[ERROR] two\n")
    (logs / "another.log").write_text("[ERROR] three\n")
    told = node.run(errors_command(site)).stdout
    assert sorted(told.replace("\f", "").splitlines()) == ["[ERROR] one", "[ERROR] three", "[ERROR] two"]
    # Where it is not known how long they were, as after a start by other means, nothing is left out.
    Path(site.layout.log_sizes).unlink()
    assert "of an earlier start" in node.run(errors_command(site)).stdout


def test_the_evidence_says_whether_the_daemon_runs_and_what_its_logs_had_before(
    cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(evidence, "_MOST_FILES", 2)
    logs = tmp_path / "logs"
    logs.mkdir()
    site = replace(site_of(cluster), log_places=(str(logs),))
    for age, name in enumerate(("new.log", "older.log", "oldest.log")):
        (logs / name).write_text("one\n")
        os.utime(logs / name, (1e9 - age, 1e9 - age))
    pid = start(cluster, "sleep 60", site)
    packed = tmp_path / "part.tar.gz"
    with packed.open("wb") as file:
        node.run(gather_command(site, "node1"), timeout=300, on_output=file.write).checked("node1")
    stop(cluster)
    with packed.open("rb") as file:
        found = {str(one.path): one.content.decode() for one in archive_members("node1", file)}
    assert found["lingctl/daemon.state"] == f"alive {pid}\n"
    kept = {f"mindie/log/debug/{name}" for name in ("new.log", "older.log")}
    assert {path for path in found if path.startswith("mindie/")} == kept
    before = lengths_before(found["lingctl/log-sizes"], site)
    assert {str(path): size for path, size in before.items() if str(path) in kept} == dict.fromkeys(kept, 4)


def test_what_a_container_gives_that_does_not_run_fills_no_disk(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "_MOST_COPIED", 300_000)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "one.log").write_text("x" * 100_000)
    head = "tar -cf - --numeric-owner -b 1 one.log"
    endless = f'[ "$1" = cp ] || exit 1\ncd {logs}; {{ {head} | head -c 101000; yes; }}\n'
    (tmp_path / "tools/docker").write_text(f"#!/bin/sh\n{endless}")
    packed = tmp_path / "part.tar.gz"
    with packed.open("wb") as file:
        node.run(gather_command(site_of(cluster), "node1"), timeout=60, on_output=file.write).checked("node1")
    with packed.open("rb") as file:
        found = {str(one.path): len(one.content) for one in archive_members("node1", file)}
    assert found["process_log/one.log"] == 100_000


def test_stopping_what_never_ran_does_nothing(cluster):
    assert stop(cluster) == ""


@pytest.mark.parametrize(
    ("inspect", "unknown"),
    [
        ("echo 'Cannot connect to the Docker daemon. Is the docker daemon running?' >&2; exit 1", True),
        ("echo running", True),
        ("echo paused", True),
        ("exit 1", True),
        ("echo 'Error: No such object: lingctl-demo' >&2; exit 1", False),
        ("echo 'Error: no such object: \"lingctl-demo\"' >&2; exit 125", False),
        ("echo exited", False),
    ],
)
def test_a_daemon_is_not_called_dead_where_the_runtime_does_not_tell(cluster, tmp_path, inspect, unknown):
    (tmp_path / "tools/docker").write_text(f'#!/bin/sh\n[ "$1" = inspect ] || exit 1\n{inspect}\n')
    seen = look(cluster)
    assert seen.pid is None and bool(seen.unknown) is unknown
    if unknown:
        with pytest.raises(NodeError) as caught:
            look_at_daemon(node, site_of(cluster))
        assert (caught.value.code, caught.value.where) == ("daemon-unknown", "node1")
    else:
        assert not look_at_daemon(node, site_of(cluster)).alive
