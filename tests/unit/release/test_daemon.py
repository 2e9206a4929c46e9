"""Starting, stopping and looking at a daemon, with real processes; docker only passes the words on."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from lingctl.flows.watch_start import look_at_daemon
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths, Timeouts
from lingctl.release import daemon
from lingctl.release.daemon import look_command, read_look, start_command, stop_command
from lingctl.release.layout import layout_of
from lingctl.remote.local import LocalConnection
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
setsid {daemon} >console.log 2>&1 &
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
    return cluster_of("node1", paths=Paths(state=str(tmp_path)), timeouts=Timeouts(stop=2))


def start(cluster: Cluster, program: str) -> int:
    layout = layout_of(cluster)
    node.put(START.format(run=layout.run, daemon=program).encode(), layout.start, mode=0o750)
    node.run(start_command(cluster, "d1g35t")).checked("node1")
    pid = read_look(node.run(look_command(cluster)).stdout).pid
    assert pid is not None
    return pid


def session(pid: int) -> list[str]:
    """Processes of a session that are no zombies."""
    listed = subprocess.run(["ps", "-o", "stat=", "-s", str(pid)], capture_output=True, text=True).stdout
    return [state for state in listed.split() if not state.startswith("Z")]


def stop(cluster: Cluster) -> str:
    return node.run(stop_command(cluster, cluster.primary)).checked("node1").stdout


def look(cluster: Cluster):
    return read_look(node.run(look_command(cluster)).stdout)


def test_a_started_daemon_is_seen_with_its_release(cluster):
    pid = start(cluster, "sleep 60")
    seen = look(cluster)
    assert (seen.pid, seen.started) == (pid, "d1g35t")
    assert stop(cluster) == ""
    assert (look(cluster).pid, look(cluster).started) == (None, "")


def test_a_daemon_that_died_is_not_seen_but_was_started(cluster):
    pid = start(cluster, "sleep 60")
    os.kill(pid, 9)
    time.sleep(0.3)
    seen = look(cluster)
    assert (seen.pid, seen.started) == (None, "d1g35t")


def test_another_process_with_its_number_is_not_taken_for_it(cluster):
    pid = start(cluster, "sleep 60")
    os.kill(pid, 9)
    with subprocess.Popen(["sleep", "60"]) as other:
        Path(layout_of(cluster).pid).write_text(f"{other.pid}\n")
        assert look(cluster).pid is None
        stop(cluster)
        assert other.poll() is None
        other.kill()


def test_a_session_that_took_its_number_since_is_left_alone(cluster):
    pid = start(cluster, "sleep 60")
    os.kill(pid, 9)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        Path(layout_of(cluster).pid).write_text(f"{other.pid}\n")
        assert stop(cluster) == ""
        assert other.poll() is None
        other.kill()


def test_the_success_line_is_seen_however_much_was_printed_since(cluster):
    daemon_text = 'sh -c "echo Daemon start success!; yes a request was answered | head -n 9000; sleep 60"'
    start(cluster, daemon_text)
    deadline = time.monotonic() + 10
    while Path(layout_of(cluster).console).stat().st_size < 9000 * 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    seen = look_at_daemon(node, cluster)
    assert seen.alive and seen.succeeded
    assert seen.console.endswith("a request was answered\n") and len(seen.console) < 41_000
    stop(cluster)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_the_success_line_is_seen_on_both_sides_of_the_hole_of_a_long_console(cluster, where):
    start(cluster, "sleep 60")
    with Path(layout_of(cluster).console).open("r+b") as console:
        console.seek({"before": 15_000_000, "behind": 299_000_000}[where])
        console.write(b"\nDaemon start success!\n")
        console.seek(300_000_000)
        console.write(b"a request was answered\n" * 3000)
    seen = look_at_daemon(node, cluster)
    assert seen.succeeded and "\0" not in seen.console
    stop(cluster)


def test_a_daemon_that_will_not_end_is_killed_with_its_workers(cluster):
    pid = start(cluster, """sh -c "trap '' TERM; sleep 61 & sleep 62; sleep 63" """)
    time.sleep(0.3)
    workers = session(pid)
    assert len(workers) >= 3
    assert "killed what did not end by itself" in stop(cluster)
    time.sleep(0.3)
    assert look(cluster).pid is None
    assert not session(pid)


def test_workers_of_a_dead_daemon_are_cleared(cluster):
    pid = start(cluster, """sh -c "sleep 61 & sleep 62" """)
    time.sleep(0.3)
    os.kill(pid, 9)
    time.sleep(0.2)
    assert "killed" in stop(cluster)
    assert not session(pid)


def test_after_force_it_waits_until_the_cards_are_free(cluster, tmp_path, monkeypatch):
    usage = tmp_path / "tools" / "npu-smi"
    usage.write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/asked\n"
        f"[ $(wc -l <{tmp_path}/asked) -lt 3 ] && rate=90 || rate=3\n"
        'echo "        HBM Usage Rate(%)              : $rate"\n'
    )
    usage.chmod(0o755)
    start(cluster, """sh -c "trap '' TERM; sleep 62; sleep 63" """)
    stop(cluster)
    assert len((tmp_path / "asked").read_text().split()) == 2 + len(cluster.primary.devices)


def test_a_start_script_that_ends_at_once_is_no_error_of_the_start(cluster):
    layout = layout_of(cluster)
    node.put(f"cd {layout.run}; echo 1 >daemon.exit".encode(), layout.start, mode=0o750)
    node.run(start_command(cluster, "d1g35t")).checked("node1")
    assert look(cluster).pid is None


def test_stopping_what_never_ran_does_nothing(cluster):
    assert stop(cluster) == ""
