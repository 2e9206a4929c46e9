"""Downloads onto nodes: real OpenSSH servers with disks of their own, and the real client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from lingctl.node.fetch.place import Place
from lingctl.release.journal import read_journal, unfinished
from tests.hub_server import Fault, Hub, serve

from .conftest import LARGE, REPOSITORY, SMALL, Lingctl, contents
from .private_authority import COMMON_NAME, make_authority
from .ssh_nodes import MODELS, SshNode, SshNodes, running, why_not

_subnets = count(70 + os.getpid() % 50)

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "runs")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SshNodes]:
    with running(tmp_path, 3, next(_subnets)) as nodes:
        yield nodes


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[SshNodes]:
    with running(tmp_path, 2, next(_subnets)) as nodes:
        yield nodes


def _files(node: SshNode) -> dict[str, bytes]:
    folder = node.disk / "Tiny_Ling"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".download" not in path.parts and path.name != ".lingctl-manifest.json"
    }


def _all_right(cluster: SshNodes, wanted: dict[str, bytes] | None = None) -> None:
    for node in cluster.nodes:
        assert _files(node) == (wanted or contents()), node.name


def _programs(node: SshNode) -> list[int]:
    """Processes of our program in the node's view."""
    view = str(Path(f"/proc/{node.process.pid}/ns/mnt").readlink())
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "ns" / "mnt").readlink()) == view:
                line = (entry / "cmdline").read_bytes().split(b"\0")
                if b"fetch" in line:
                    found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile
    return found


def _in_background(node: SshNode) -> list[int]:
    """Those that outlive the connection they were begun over: who fills the folder, who gives, their own."""
    place = Place(str(node.disk / "Tiny_Ling"))
    sessions = (place.holder(), place.holder("serve"))
    return [pid for pid in _programs(node) if os.getsid(pid) in sessions]


def _wait_until(true: Callable[[], bool], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _put(node: SshNode, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = node.disk / "Tiny_Ling" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _whole() -> dict[str, bytes]:
    """A folder of weights that is whole: real headers, so that it counts as such."""
    files = {}
    for number in (1, 2):
        data = bytes([number]) * (2_000_000 * number)
        header = json.dumps(
            {f"w{number}": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}
        )
        head = header.encode()
        files[f"model-0000{number}-of-00002.safetensors"] = len(head).to_bytes(8, "little") + head + data
    index = {"metadata": {}, "weight_map": {f"w{n}": f"model-0000{n}-of-00002.safetensors" for n in (1, 2)}}
    return {**files, "model.safetensors.index.json": json.dumps(index).encode(), "config.json": b"{}"}


def test_nodes_get_it_from_the_hub_once_and_a_second_run_fetches_nothing(
    lingctl: Lingctl, hub: Hub, cluster: SshNodes
) -> None:
    lingctl.environment["MODELSCOPE_API_TOKEN"] = "ms-secret-token"
    first = lingctl("download", REPOSITORY, "--nodes", cluster.hosts, "--json")
    assert first.status == 0, first.stderr
    _all_right(cluster)
    assert hub.served[LARGE] == len(contents()[LARGE])
    assert len({node["digest"] for node in first.document["nodes"].values()}) == 1
    for node in cluster.nodes:
        _wait_until(lambda node=node: not _programs(node))
        for path in node.disk.rglob("*"):
            assert not path.is_file() or b"ms-secret-token" not in path.read_bytes()
            assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes()
    hub.served.clear()
    second = lingctl("download", REPOSITORY, "--nodes", cluster.hosts, "--json")
    assert second.status == 0, second.stderr
    assert sum(hub.served.values()) == 0
    assert [node["fetched_files"] for node in second.document["nodes"].values()] == [0] * 3


def test_the_only_node_with_a_way_out_fetches_for_all(lingctl: Lingctl, hub: Hub, pair: SshNodes) -> None:
    lingctl.environment["MODELSCOPE_ENDPOINT"] = hub.url.replace("127.0.0.1", "hub.test")
    lingctl.environment["MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS"] = "1"
    pair.nodes[0].names.write_text("127.0.0.1 localhost\n")
    ran = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--source", "modelscope", "--json")
    assert ran.status == 0, ran.stderr
    _all_right(pair)
    assert hub.served[LARGE] == len(contents()[LARGE])


def test_the_authority_of_hosts_yaml_counts_on_the_nodes(
    lingctl: Lingctl, pair: SshNodes, tmp_path: Path
) -> None:
    authority, tls = make_authority(tmp_path)
    with serve(Hub(files={REPOSITORY: contents()}), tls=tls) as private:
        lingctl.environment["MODELSCOPE_ENDPOINT"] = private.url
        lingctl.environment["MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS"] = "1"
        refused = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--json")
        assert (refused.status, refused.document["code"]) == (1, "hub-certificate")
        assert COMMON_NAME in refused.document["what"]
        with Path(pair.hosts).open("a") as hosts:
            hosts.write(f"hub:\n  ca: {authority}\n")
        ran = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--json")
        assert ran.status == 0, ran.stderr
    _all_right(pair)


def test_it_outlives_lingctl_and_a_second_run_follows_it(lingctl: Lingctl, hub: Hub, pair: SshNodes) -> None:
    hub.faults = [Fault("held", LARGE, after=700_000)]
    _start_and_kill(lingctl, hub, pair)
    came = hub.served[LARGE]
    _wait_until(lambda: hub.served[LARGE] > came + 1000)
    second = lingctl.start("download", REPOSITORY, "--nodes", pair.hosts, "--json")
    said = _read_until(second, "following it")
    hub.opened.set()
    _, rest = second.communicate(timeout=300)
    assert second.returncode == 0, said + rest
    _all_right(pair)
    assert hub.served[LARGE] == len(contents()[LARGE])


def test_killed_and_stopped_ones_fetch_only_what_is_missing(
    lingctl: Lingctl, hub: Hub, pair: SshNodes
) -> None:
    hub.faults = [Fault("held", LARGE, after=1_500_000)]
    _start_and_kill(lingctl, hub, pair)
    first, last = pair.nodes
    _wait_until(lambda: (last.disk / "Tiny_Ling" / SMALL).exists())
    _wait_until(lambda: _bytes_below(first.disk) > 1_300_000)
    # Nothing comes any more, so nothing is said; who followed for a lingctl that is gone ends all the same.
    _wait_until(lambda: all(_programs(node) == _in_background(node) for node in pair.nodes), seconds=60)
    assert _in_background(first)
    for pid in _in_background(last):
        os.kill(pid, signal.SIGKILL)
    ran = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--stop", "--json")
    assert (ran.status, ran.document["stopped"]) == (0, {"node1": True, "node2": False})
    assert not any(_programs(node) for node in pair.nodes)
    hub.faults = []
    ran = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--json")
    hub.opened.set()
    assert ran.status == 0, ran.stderr
    _all_right(pair)
    assert ran.document["nodes"]["node2"]["fetched_files"] < len(contents())
    # What was in sockets when the download was stopped comes twice, and nothing else.
    assert hub.served[LARGE] < len(contents()[LARGE]) + 500_000


def _start_and_kill(lingctl: Lingctl, hub: Hub, cluster: SshNodes) -> None:
    process = lingctl.start("download", REPOSITORY, "--nodes", cluster.hosts)
    _wait_until(lambda: hub.served[LARGE] > 500_000)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _read_until(process: subprocess.Popen[str], words: str) -> str:
    """What it says on the error stream, up to the line with these words."""
    limit = threading.Timer(300, process.kill)
    limit.start()
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if words in line:
            break
    limit.cancel()
    assert words in said, said
    return said


def _bytes_below(folder: Path) -> int:
    """What is on the disk, whatever the files' lengths say."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_from_a_node_that_has_it(lingctl: Lingctl, pair: SshNodes) -> None:
    words = ("download", REPOSITORY, "--nodes", pair.hosts, "--source", "node", "--json")
    nobody = lingctl(*words)
    assert nobody.status == 1
    assert "no such folder" in nobody.document["what"] + nobody.document["evidence"]
    wanted = _whole()
    _put(pair.nodes[1], wanted)
    damaged = bytearray(wanted["model-00001-of-00002.safetensors"])
    damaged[-1] ^= 1
    _put(pair.nodes[0], {"model-00001-of-00002.safetensors": bytes(damaged)})
    ran = lingctl(*words)
    assert ran.status == 0, ran.stderr
    _all_right(pair, wanted)
    assert ran.document["nodes"]["node1"]["replaced"] == ["model-00001-of-00002.safetensors"]
    assert ran.document["nodes"]["node2"]["fetched_files"] == 0


@pytest.mark.parametrize("where", ["here", "on a node"])
def test_from_a_disk(lingctl: Lingctl, pair: SshNodes, tmp_path: Path, where: str) -> None:
    disk = tmp_path / "usb" if where == "here" else pair.nodes[1].disk / "usb"
    disk.mkdir()
    for name, content in _whole().items():
        (disk / name).write_bytes(content)
    source = str(disk) if where == "here" else f"node2:{MODELS}/usb"
    ran = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--source", source, "--json")
    assert ran.status == 0, ran.stderr
    _all_right(pair, _whole())


def test_a_small_disk_is_told_before_the_first_byte(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    with running(tmp_path, 2, next(_subnets), small=1) as cluster:
        ran = lingctl("download", REPOSITORY, "--nodes", cluster.hosts, "--json")
        assert (ran.status, ran.document["code"], ran.document["where"]) == (1, "disk-space", "node2")
        assert sum(hub.served.values()) == 0


def test_ctrl_c_leaves_it_running_and_says_so(lingctl: Lingctl, hub: Hub, pair: SshNodes) -> None:
    hub.faults = [Fault("slow", LARGE, rate=300_000)]
    process = lingctl.start("download", REPOSITORY, "--nodes", pair.hosts)
    _wait_until(lambda: hub.served[LARGE] > 300_000)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "--stop" in stderr
    assert _in_background(pair.nodes[0])
    assert _audit(pair.nodes[0]) == _audit(pair.nodes[1]) == ["begun"]


def test_it_is_a_change_of_the_cluster(lingctl: Lingctl, hub: Hub, pair: SshNodes) -> None:
    hub.faults = [Fault("slow", LARGE, rate=300_000)]
    process = lingctl.start("download", REPOSITORY, "--nodes", pair.hosts)
    _wait_until(lambda: hub.served[LARGE] > 100_000)
    refused = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--stop")
    assert refused.status == 5 and "lingctl download by" in refused.stderr, refused.stderr
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    again = lingctl("download", REPOSITORY, "--nodes", pair.hosts, "--stop", "--lock-wait", "60")
    assert again.status == 0, again.stderr
    for node in pair.nodes:
        assert _audit(node) == ["begun", "done", "begun", "done"]


def _audit(node: SshNode) -> list[str]:
    """Results in a node's audit log, in order; a download is not taken for something half-done."""
    (log,) = (node.disk.parent / "state").rglob("audit.log")
    entries = read_journal(log.read_text())
    assert unfinished(entries) is None
    return [entry["result"] for entry in entries]
