"""A sandbox comes, breaks, heals and goes, and nothing of it stays, however its starter ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lingctl.sandbox.faults import FAULTS
from lingctl.sandbox.lifecycle import break_node, running
from tests.forked import LINGCTL
from tests.sandbox.live import Live, lingctl, sandbox

pytestmark = pytest.mark.sandbox


def command_lines() -> dict[int, bytes]:
    """Those of all processes, by number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found[int(path.parent.name)] = path.read_bytes()
    return found


def processes_of(directory: Path) -> list[str]:
    """Command lines that name the directory."""
    others = (line for pid, line in command_lines().items() if pid != os.getpid())
    return [line.decode() for line in others if os.fsencode(directory) in line]


def mounts_of(directory: Path) -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line]


def test_up_status_and_down(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    with sandbox(directory, "--nodes", "3", "--devices", "2", "--model", "lite") as live:
        state = live.state
        assert (state["document"], state["version"]) == ("sandbox", 1)
        assert [node["name"] for node in state["nodes"]] == ["node1", "node2", "node3"]
        assert [len(node["cards"]) for node in state["nodes"]] == [2, 2, 2]
        addresses = [card["address"] for node in state["nodes"] for card in node["cards"]]
        assert len(set(addresses)) == 6
        for node in state["nodes"]:
            assert live.on(node["name"], "hostname").stdout == f"{node['name']}\n"
        assert "devices: [0, 1]" in live.hosts.read_text()
        assert (directory / "checkpoint/Ling_lite/pytorch_model.bin").exists()
        assert mounts_of(directory) == []
        pid = live.on("node1", "docker run -d --network host IMAGE sleep 600".replace("IMAGE", image(live)))
        assert pid.status == 0
    assert processes_of(directory) == []
    assert not directory.exists()


def image(live: Live) -> str:
    return live.on("node1", "docker images --format '{{.Repository}}:{{.Tag}}'").stdout.split()[0]


def test_a_second_up_in_the_same_folder_is_refused(lite_cluster: Live) -> None:
    again = lingctl("sandbox", "up", "--dir", lite_cluster.directory)
    assert again.status == 1
    assert "runs there already" in again.stderr and "sandbox down" in again.stderr
    assert lite_cluster.on("node1", "true").status == 0


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    refused = lingctl("sandbox", "up", "--dir", tmp_path)
    assert refused.status == 1 and "holds other files" in refused.stderr
    lingctl("sandbox", "down", "--dir", tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_down_where_nothing_runs_says_so(tmp_path: Path) -> None:
    done = lingctl("sandbox", "down", "--dir", tmp_path / "none")
    assert done.status == 0 and "nothing to end" in done.stderr


def test_status_where_nothing_runs_is_an_error(tmp_path: Path) -> None:
    done = lingctl("sandbox", "status", "--dir", tmp_path / "none")
    assert done.status == 1 and "no sandbox runs there" in done.stderr and "sandbox up" in done.stderr


@pytest.mark.parametrize("delay", [0.3, 0.9, 1.5])
def test_nothing_stays_when_up_is_killed(tmp_path: Path, delay: float) -> None:
    directory = tmp_path / "box"
    starter = subprocess.Popen(
        [LINGCTL, "sandbox", "up", "--dir", directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(delay)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    done = lingctl("sandbox", "down", "--dir", directory)
    assert done.status == 0, done.said
    assert processes_of(directory) == []
    assert not directory.exists()


def test_nothing_stays_when_the_keeper_is_killed(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    with sandbox(directory, "--nodes", "1", "--model", "lite") as live:
        started = live.on("node1", f"docker run -d --network host {image(live)} sleep 4711")
        assert started.status == 0, started.said
        family = {
            pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            for pid, line in command_lines().items()
            if line.endswith(f"keeper\0{directory}\0".encode())
        }
        keeper = next(pid for pid, parent in family.items() if parent not in family)
        os.kill(keeper, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while processes_of(directory) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(directory) == []
        assert not any(b"sleep\x004711" in line for line in command_lines().values())


def test_down_ends_processes_whose_folder_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    started = lingctl("sandbox", "up", "--dir", directory, "--nodes", "1", "--model", "lite")
    assert started.status == 0, started.said
    shutil.rmtree(directory)
    assert processes_of(directory)
    assert lingctl("sandbox", "down", "--dir", directory).status == 0
    assert processes_of(directory) == []


def test_two_sandboxes_side_by_side(lite_cluster: Live, plus_cluster: Live) -> None:
    assert lite_cluster.address("node1") != plus_cluster.address("node1")
    assert "Ling_lite" in lite_cluster.on("node1", "ls /root/models").stdout
    assert "Ling_plus" in plus_cluster.on("node1", "ls /root/models").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("node9", "link-down"), "there is no node 'node9'"),
        (("node1", "link-dwon"), "did you mean link-down?"),
        (("node1", "link-down=12"), "has no card '12'"),
        (("node1", "unreachable=3"), "takes no detail"),
        (("node1", "port-taken=http"), "is not a detail"),
    ],
)
def test_a_wrong_fault_is_explained(lite_cluster: Live, words: tuple[str, str], told: str) -> None:
    done = lingctl("sandbox", "break", *words, "--dir", lite_cluster.directory)
    assert done.status == 2 and told in done.stderr
    assert lite_cluster.state["nodes"][0]["faults"] == {}


def test_every_fault_can_be_set_and_healed(tmp_path: Path) -> None:
    """What a fault does to the state is taken back by healing, whatever else was broken meanwhile."""
    listed = lingctl("sandbox", "faults", "--json").document["faults"]
    assert {fault.name for fault in FAULTS} == {fault["name"] for fault in listed}
    with sandbox(tmp_path / "box", "--nodes", "1", "--model", "lite") as live:
        before = live.state["nodes"][0]
        for fault in FAULTS:
            break_node(live.directory, "node1", fault.name)
            assert fault.name in running(live.directory).node("node1").applied
        live.heal()
        assert live.state["nodes"][0] == before
        assert live.on("node1", "cat /etc/hccn.conf; command -v python3; date >/dev/null").status == 0
