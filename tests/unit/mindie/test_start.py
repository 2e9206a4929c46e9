"""start.sh as bash runs it, up to the place where it misses MindIE."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.mindie.profile import profile_for
from tests.unit.mindie.samples import make_cluster, render_start

LEFT = (
    "27055_0_execute_request",
    "27055_0_execute_error_response",
    "27055_0_shared_sync_link_response",
    "sem.27055_0_recover_command_request_consume_0",
    "sem.27055_12_transfer_response_produce_7",
    "sem.llm_backend_7",
    "llm_backend_execute_0",
    "llm_tokenizer_shared_memory_3",
)
OTHERS = ("torch_1", "my_llm_tokens", "sem.mine", "a_0_execute_request")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Shared memory with what a killed daemon left, and the folder of a run."""
    shared = tmp_path / "shm"
    shared.mkdir()
    for name in (*LEFT, *OTHERS):
        (shared / name).write_text("x")
    run = tmp_path / "state/demo/run"
    run.mkdir(parents=True)
    return shared, run


def fill(tmp_path: Path, mib: int) -> None:
    """A df that tells so much room in the shared memory."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    tool = tools / "df"
    tool.write_text(f"#!/bin/sh\necho head\necho shm 2097152 0 {mib * 1024} 1% /dev/shm\n")
    tool.chmod(0o755)


def start(tmp_path: Path, version: str) -> subprocess.CompletedProcess[str]:
    cluster = make_cluster(mindie=version, paths={"state": str(tmp_path / "state")})
    text = render_start(cluster, cluster.primary, profile_for(version)).replace("/dev/shm", f"{tmp_path}/shm")
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("version", ["1.0.0", "3.0.0"])
def test_what_a_killed_daemon_left_in_shared_memory_is_gone_before_the_next(tmp_path, folders, version):
    shared, run = folders
    assert start(tmp_path, version).returncode != 0  # there is no MindIE here
    assert (run / "daemon.exit").read_text() != "0\n"
    assert sorted(path.name for path in shared.iterdir()) == sorted(OTHERS)


def test_a_daemon_that_runs_keeps_its_shared_memory(tmp_path, folders):
    shared, run = folders
    with subprocess.Popen(["sleep", "60"]) as daemon:
        (run / "daemon.pid").write_text(f"{daemon.pid}\n")
        done = start(tmp_path, "3.0.0")
        daemon.kill()
    assert done.returncode == 1
    assert "a daemon runs already" in done.stderr
    assert len(list(shared.iterdir())) == len(LEFT) + len(OTHERS)


PRINTING = """
echo first; echo "Daemon start success!"
seq 1000000 1800000; sleep 0.5; seq 1800001 3000000
until [ "$(du -k state/demo/run/console.log | cut -f 1)" -lt 8200 ]; do sleep 0.05; done
echo 50 >nap; sleep 0.4
echo last; exit 7
"""


def test_a_long_console_keeps_its_start_and_end_and_the_daemon_its_exit_status(tmp_path, folders):
    _, run = folders
    (tmp_path / "daemon.sh").write_text(PRINTING)
    (tmp_path / "nap").write_text("0.2")
    cluster = make_cluster(mindie="3.0.0", paths={"state": str(tmp_path / "state")})
    profile = replace(
        profile_for("3.0.0"),
        directory=str(tmp_path),
        daemon=("sh", str(tmp_path / "daemon.sh")),
        installed_config="",
    )
    text = render_start(cluster, cluster.primary, profile).replace("/dev/shm", f"{tmp_path}/shm")
    # A tenth of the real sizes, and looked at more often than once a minute.
    for real, here in (
        ("sleep 60", 'sleep "$(cat nap)"'),
        ("100000000", "10000000"),
        ("16000000", "1600000"),
        ("80000000", "8000000"),
    ):
        assert text.count(real) == 1
        text = text.replace(real, here)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, (run / "daemon.exit").read_text()) == (7, "7\n")
    deadline = time.monotonic() + 10
    while left := _left(tmp_path):
        assert time.monotonic() < deadline, f"outlives the daemon: {left}"
        time.sleep(0.05)
    console = run / "console.log"
    printed = (
        b"first\nDaemon start success!\n"
        + b"".join(b"%d\n" % n for n in range(1_000_000, 3_000_001))
        + b"last\n"
    )
    kept = console.read_bytes()
    kept = kept[kept.index(b"first\n") :]
    assert len(kept) == len(printed)
    assert kept[:1_500_000] == printed[:1_500_000] and kept[-6_400_000:] == printed[-6_400_000:]
    assert console.stat().st_blocks * 512 < 8_200_000


def _left(folder: Path) -> list[str]:
    """Processes that stand in a folder, which is where start.sh runs all of its own."""
    left = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                left.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended meanwhile
    return left


def _connection(port: int) -> tuple[socket.socket, int]:
    """A connection to a server on any free port, closed by the server first, so that it lingers there."""
    server = socket.create_server(("127.0.0.1", port))
    number = server.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", number))
    accepted, _ = server.accept()
    server.close()
    accepted.close()
    return client, number


def test_a_start_waits_for_connections_of_the_last_run_but_not_for_a_listener(tmp_path, folders):
    _, run = folders
    client, port = _connection(0)
    cluster = make_cluster(
        mindie="3.0.0",
        paths={"state": str(tmp_path / "state")},
        serving={"port": port, "management_port": port, "metrics_port": port},
    )
    profile = replace(
        profile_for("3.0.0"), directory=str(tmp_path), daemon=("true",), set_env=(), libraries=()
    )
    environment = tmp_path / "state/demo/release/environment.sh"
    environment.parent.mkdir()
    environment.touch()
    text = render_start(cluster, cluster.primary, profile).replace("/dev/shm", f"{tmp_path}/shm")
    with subprocess.Popen(["bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as script:
        console = run / "console.log"
        deadline = time.monotonic() + 30
        while not (console.exists() and f"linger on port {port}" in console.read_text()):
            assert time.monotonic() < deadline and script.poll() is None
            time.sleep(0.05)
        assert not (run / "daemon.pid").exists()
        # Something that listens there is the daemon's to complain of, at once.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.close()
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert script.wait(30) == 0
        listener.close()
    assert (run / "daemon.exit").read_text() == "0\n"


def test_a_start_without_room_in_shared_memory_says_how_much_is_needed(tmp_path, folders, monkeypatch):
    _, run = folders
    fill(tmp_path, 900)
    monkeypatch.setenv("PATH", f"{tmp_path}/tools:{os.environ['PATH']}")
    cluster = make_cluster(mindie="3.0.0", paths={"state": str(tmp_path / "state")})
    profile = replace(
        profile_for("3.0.0"), directory=str(tmp_path), daemon=("true",), set_env=(), libraries=()
    )
    text = render_start(cluster, cluster.primary, profile).replace("/dev/shm", f"{tmp_path}/shm")
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, (run / "daemon.exit").read_text()) == (1, "1\n")
    assert "shm has 900 MiB free, MindIE needs 977 MiB" in (run / "console.log").read_text()


def test_the_end_of_a_pod_reaches_the_daemon(tmp_path, folders):
    _, run = folders
    (tmp_path / "daemon.sh").write_text('trap "exit 7" TERM; echo up; while :; do sleep 0.1; done')
    cluster = make_cluster(mindie="3.0.0", paths={"state": str(tmp_path / "state")})
    profile = replace(
        profile_for("3.0.0"), directory=str(tmp_path), daemon=("sh", str(tmp_path / "daemon.sh")), set_env=()
    )
    text = render_start(cluster, cluster.primary, profile).replace("/dev/shm", f"{tmp_path}/shm")
    with subprocess.Popen(["bash", "-c", text]) as script:
        console = run / "console.log"
        deadline = time.monotonic() + 30
        while not ((run / "daemon.pid").exists() and "up" in console.read_text()):
            assert time.monotonic() < deadline and script.poll() is None
            time.sleep(0.05)
        script.terminate()
        assert script.wait(30) == 7
    assert (run / "daemon.exit").read_text() == "7\n"
