"""start.sh as bash runs it, up to the place where it misses MindIE."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.mindie.environment import render_start
from lingctl.mindie.profile import profile_for
from tests.unit.mindie.samples import make_cluster

LEFT = ("sem.llm_backend_7", "llm_backend_execute_0", "llm_tokenizer_shared_memory_3")
OTHERS = ("torch_1", "my_llm_tokens")


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
seq 1000000 1800000; sleep 1.5; seq 1800001 3000000; sleep 1
echo 50 >nap; sleep 0.5
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
