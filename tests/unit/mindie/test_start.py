"""start.sh as bash runs it, up to the place where it misses MindIE."""

from __future__ import annotations

import subprocess
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
