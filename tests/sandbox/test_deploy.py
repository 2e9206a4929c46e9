"""deploy as it is typed, on live clusters: from bare nodes to tokens, again, changed, and with each fault."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import yaml

from tests.hub_server import Hub, serve
from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox
WEIGHTS = "/root/models/Ling_plus"
SLOW_LINK = Path(__file__).parents[2] / "benchmarks" / "slow_link.py"


def changes(document: dict) -> list[tuple[str, str]]:
    """Node and title of every step that does something."""
    steps = document["plan"]["steps"]
    return [(step["node"], step["title"]) for step in steps if step["state"] == "change"]


def daemons(live: Live) -> set[str]:
    """The daemons' states, as status tells them."""
    return {node["daemon"] for node in live.lingctl("status", "--json").document["nodes"]}


@pytest.fixture(scope="module")
def deployed(plus_cluster):
    """Two nodes that serve Ling-plus, and what deploying them said."""
    result = plus_cluster.lingctl("deploy", "--yes", "--json")
    assert result.status == 0, result.said
    yield plus_cluster, result
    plus_cluster.lingctl("stop", "--yes")


def edited(live: Live, tmp_path: Path, more: str) -> dict[str, object]:
    """Options for a run with settings added to hosts.yaml."""
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(live.hosts.read_text() + more)
    return {"environment": {"LINGCTL_NODES": str(hosts)}}


def test_sixteen_ranks_on_two_nodes_answer(deployed):
    live, result = deployed
    assert "Ling" in result.document["answer"]
    titles = {title for _, title in changes(result.document)}
    assert {"write rank_table.json", "place the bailing_moe overlay", "start the daemon"} <= titles
    assert daemons(live) == {"running"}


def test_a_second_run_finds_nothing_to_do(deployed):
    live, _ = deployed
    before = live.on(
        "node1", "docker exec lingctl-sandbox cat /var/lib/lingctl/sandbox/run/daemon.pid"
    ).stdout
    again = live.lingctl("deploy", "--yes", "--json")
    assert (again.status, again.document["changed"], again.document["plan"]["empty"]) == (0, False, True)
    assert "Nothing to do" in again.stderr
    after = live.on("node1", "docker exec lingctl-sandbox cat /var/lib/lingctl/sandbox/run/daemon.pid").stdout
    assert before == after != ""


@contextmanager
def far_away(live: Live, folder: Path) -> Iterator[tuple[Path, IO[str]]]:
    """A hosts.yaml of the same nodes behind a link that counts round trips, and where it tells each count."""
    nodes = yaml.safe_load(live.hosts.read_text())
    known = folder / "known_hosts"
    known.write_text(Path(nodes["ssh"]["known_hosts"]).read_text().replace("]:2222", "]:2223"))
    nodes["ssh"] |= {"port": 2223, "known_hosts": str(known)}
    hosts = folder / "hosts.yaml"
    hosts.write_text(yaml.safe_dump(nodes))
    addresses = [node["address"] for node in nodes["nodes"]]
    words = [sys.executable, str(SLOW_LINK), "0.4", "2223", "2222", *addresses]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as link:
        assert link.stdout is not None and link.stdout.readline() == "ready\n"
        try:
            yield hosts, link.stdout
        finally:
            link.terminate()


def test_a_run_with_nothing_to_do_waits_for_eight_round_trips(deployed, tmp_path):
    """Counted on the way: the longest chain of what came and what was then sent. Nodes that are held up on a
    busy machine make it longer, never shorter."""
    live, _ = deployed
    counted = [9]
    with far_away(live, tmp_path) as (hosts, link):
        while min(counted) > 8 and len(counted) < 4:
            again = live.lingctl("deploy", "--yes", "--json", "--nodes", hosts)
            assert (again.status, again.document["plan"]["empty"]) == (0, True), again.said
            counted.append(int(link.readline()))
    assert min(counted) == 8, counted


@pytest.mark.parametrize(
    ("fault", "check"), [("link-down=3", "link"), ("clock-skew=300", "clock"), ("card-alarm=2", "npu-health")]
)
def test_a_run_with_nothing_to_do_tells_what_broke_under_the_service(deployed, fault, check):
    live, _ = deployed
    with live.broken("node2", fault):
        again = live.lingctl("deploy", "--yes", "--json")
    assert again.status == 3, again.said
    assert "Nothing to do" in again.stderr and "Not looked at" in again.stderr
    found = {(f["check"], f["node"], f["verdict"]) for f in again.document["findings"]}
    assert (check, "node2", "failure") in found
    assert {node for _, node, _ in found} == {"node2"}


def test_a_service_under_docker_is_named_where_podman_is_asked_for(deployed, tmp_path):
    live, _ = deployed
    run = edited(live, tmp_path, "container: {runtime: podman}\n")
    refused = live.lingctl("deploy", "--yes", **run)
    assert refused.status == 1
    assert "(container-elsewhere)" in refused.stderr and "node1" in refused.stderr
    assert "docker rm -f lingctl-sandbox" in refused.stderr
    assert daemons(live) == {"running"}


def test_without_consent_nothing_changes_and_the_command_is_named(deployed, tmp_path):
    live, _ = deployed
    run = edited(live, tmp_path, "serving: {max_batch_size: 64}\n")
    asked = live.lingctl("deploy", **run)
    assert asked.status == 2
    assert "lingctl deploy --yes" in asked.stderr
    assert live.lingctl("deploy", "--yes", "--json").document["plan"]["empty"]


def test_a_dry_run_shows_the_difference_of_each_file(deployed, tmp_path):
    live, _ = deployed
    shown = live.lingctl("deploy", "--dry-run", **edited(live, tmp_path, "serving: {max_batch_size: 64}\n"))
    assert shown.status == 0
    assert '-      "maxBatchSize": 200' in shown.stderr
    assert '+      "maxBatchSize": 64' in shown.stderr
    assert live.lingctl("deploy", "--yes", "--json").document["plan"]["empty"]


def test_a_setting_restarts_what_it_must_and_no_more(deployed, tmp_path):
    live, _ = deployed
    config = live.lingctl(
        "deploy", "--dry-run", "--json", **edited(live, tmp_path, "serving: {max_batch_size: 64}\n")
    )
    titles = {title for _, title in changes(config.document)}
    assert {"stop the daemon", "write config.json", "start the daemon"} <= titles
    assert not any("container" in title for title in titles)
    ours = live.hosts.read_text().replace("start: 300", "start: 301")
    (tmp_path / "ours.yaml").write_text(ours)
    timeouts = live.lingctl("deploy", "--dry-run", "--json", "--nodes", tmp_path / "ours.yaml")
    assert timeouts.document["plan"]["empty"]
    container = live.lingctl(
        "deploy", "--dry-run", "--json", **edited(live, tmp_path, "container: {shm_size: 3g}\n")
    )
    assert any(title.startswith("run container") for _, title in changes(container.document))


def test_what_does_not_fit_the_cards_is_refused_before_anything_starts(deployed, tmp_path):
    live, _ = deployed
    run = edited(live, tmp_path, "serving: {npu_memory_fraction: 0.03}\n")
    refused = live.lingctl("deploy", "--yes", **run)
    assert refused.status == 3
    assert "check-capacity" in refused.stderr
    assert "does not fit 16 cards" in refused.stderr
    assert daemons(live) == {"running"}
    accepted = live.lingctl("deploy", "--dry-run", "--accept", "capacity", **run)
    assert accepted.status == 0, accepted.said
    assert "capacity failure, accepted" in accepted.stderr


# Fault: node it is set on, exit status, and words that must be said.
FAULTS = {
    "unreachable": ("node2", 4, ("node2",)),
    "wrong-host-key": ("node2", 4, ("node2", "host key")),
    "link-down=5": ("node2", 3, ("node2 card 5", "DOWN")),
    "no-address=3": ("node1", 3, ("node1 card 3", "address")),
    "tls-on=1": ("node2", 3, ("node2 card 1", "TLS")),
    "duplicate-address=2": ("node2", 3, ("node2 card 2", "address")),
    "port-taken=1025": ("node1", 3, ("node1", "1025")),
    "docker-down": ("node2", 1, ("node2", "docker")),
    "image-missing": ("node2", 1, ("node2", "image")),
    "disk-full=state": ("node2", 3, ("node2", "/var/lib/lingctl")),
    "daemon-dies-loading": ("node2", 1, ("node2",)),
}


@pytest.fixture(scope="module")
def stopped(deployed):
    live, _ = deployed
    assert live.lingctl("stop", "--yes").status == 0
    return live


def digests(live: Live, node: str) -> str:
    return live.on(node, f"cd {WEIGHTS} && sha256sum *.safetensors tokenizer.json").stdout


def test_a_node_without_weights_gets_them_from_one_that_has_them(stopped):
    wanted = digests(stopped, "node1")
    stopped.on("node2", f"rm -rf {WEIGHTS}")
    plan = stopped.lingctl("deploy", "--dry-run", "--json")
    assert ("node2", "download inclusionAI/Ling-plus") in changes(plan.document)
    assert ("node1", "download inclusionAI/Ling-plus") not in changes(plan.document)
    done = stopped.lingctl("deploy", "--yes", environment={"MODELSCOPE_ENDPOINT": "http://127.0.0.1:9"})
    assert done.status == 0, done.said
    assert digests(stopped, "node2") == wanted
    assert stopped.lingctl("stop", "--yes").status == 0


def test_weights_that_no_node_has_are_fetched_once_from_the_hub(stopped, tmp_path):
    wanted = digests(stopped, "node1")
    folder = stopped.directory / "checkpoint" / "Ling_plus"
    files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    for node in ("node1", "node2"):
        stopped.on(node, f"rm -rf {WEIGHTS}")
    with serve(Hub(files={"inclusionAI/Ling-plus": files})) as hub:
        environment = {"MODELSCOPE_ENDPOINT": hub.url, "MODELSCOPE_HOME": str(tmp_path)}
        done = stopped.lingctl("deploy", "--yes", environment=environment)
        assert done.status == 0, done.said
        assert dict(hub.served) == {name: len(content) for name, content in files.items()}
    assert digests(stopped, "node1") == digests(stopped, "node2") == wanted
    assert stopped.lingctl("stop", "--yes").status == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_on_its_node_and_nothing_is_called_done(stopped, fault):
    node, status, words = FAULTS[fault]
    with stopped.broken(node, fault):
        result = stopped.lingctl("deploy", "--yes")
        assert result.status == status, result.said
        error = result.stderr[result.stderr.index("error: ") :]
        for word in words:
            assert word in error
        assert "fix: " in error
        assert "Ready:" not in result.said
        assert "Traceback" not in result.said
    if fault == "daemon-dies-loading":
        # The evidence stays: other tools remove the container, and MindIE's logs with it.
        kept = stopped.on(node, "docker ps --format '{{.Names}}'; cat /var/lib/lingctl/*/run/console.log")
        assert "lingctl-sandbox" in kept.stdout.splitlines()[0]
        assert "NPU out of memory" in kept.stdout
        # The survivor waits for ever, as the real one does; the next deploy starts both anew.
        again = stopped.lingctl("deploy", "--yes")
        assert again.status == 0, again.said
        assert stopped.lingctl("stop", "--yes").status == 0


def test_a_printed_failure_is_told_by_its_cause_on_one_node_and_on_two(stopped, tmp_path):
    log = tmp_path / "posted.log"
    log.write_bytes(
        "2025-06-12 08:05:01,000 模型加载中\r\n".encode("gbk")
        + b"2025-06-12 08:05:02,000 [ERROR] \x1b[31mRuntimeError: NPU out of memory. Tried to allocate "
        + b"1.89 GiB (NPU 7)"
        + b"\x1b[0m\r\n"
        + b"[rank1]: EI0006: [PID: 77] 2025-06-12-08:07:20.444.436 Getting socket times out\n" * 4000
    )
    with (
        stopped.broken("node1", "daemon-prints=hccl-timeout"),
        stopped.broken("node2", f"daemon-prints={log}"),
    ):
        result = stopped.lingctl("deploy", "--yes")
        assert result.status == 1, result.said
        assert "error: node2, card 7: " in result.stderr
        assert "a card's memory is full (certain)  (mindie-C1)" in result.stderr
        assert "node1: two cards did not reach each other in time" in result.stderr
        problems = {
            row["node"]: row["problems"] for row in stopped.lingctl("status", "--json").document["nodes"]
        }
        assert "a card's memory is full (certain)" in problems["node2"][0]
        packed = stopped.lingctl("collect", "--no-check", "--json", "--to", str(tmp_path / "evidence.tar.gz"))
        assert packed.document["cause"] == "node2, card 7: a card's memory is full (certain)  (C1)", (
            packed.said
        )
        again = stopped.lingctl("explain", packed.document["path"], "--json")
        assert (again.status, again.document["verdict"]["where"]) == (0, "node2, card 7"), again.said
    with stopped.broken("node2", "daemon-prints=unknown"):
        result = stopped.lingctl("restart", "--yes")
        assert result.status == 1, result.said
        assert "error: node2: " in result.stderr and "nothing known explains it" in result.stderr
        assert "KeyError: 'rope_type'" in result.stderr
    assert stopped.lingctl("stop", "--yes").status == 0


def test_warnings_of_the_check_are_shown_above_the_plan(stopped):
    with stopped.broken("node1", "lldp-empty=4"):
        plan = stopped.lingctl("deploy", "--dry-run", "--json")
    assert plan.status == 0, plan.said
    assert 0 <= plan.stderr.find("warning  lldp [node1 card 4]") < plan.stderr.find("start the daemon")
    assert [(f["check"], f["node"], f["device"]) for f in plan.document["findings"]] == [("lldp", "node1", 4)]


def test_after_the_faults_it_deploys(stopped):
    result = stopped.lingctl("deploy", "--yes")
    assert result.status == 0, result.said
    assert "Ready: Ling-plus answers" in result.stderr


def test_lite_from_bin_on_one_node(modern_cluster):
    first = modern_cluster.lingctl("deploy", "--yes", "--json")
    assert first.status == 0, first.said
    assert ("node1", "convert .bin to safetensors") in changes(first.document)
    assert not any("rank_table" in title for _, title in changes(first.document))
    assert "Ling" in first.document["answer"]
    kept = modern_cluster.on(
        "node1", "ls /root/models/Ling_lite /root/models/Ling_lite_safetensor"
    ).stdout.split()
    assert {"pytorch_model.bin", "model.safetensors.index.json", "configuration_bailing_moe.py"} <= set(kept)
    assert modern_cluster.lingctl("deploy", "--yes", "--json").document["plan"]["empty"]
    assert modern_cluster.lingctl("smoke-test").status == 0
    logs = modern_cluster.lingctl("logs", "-n", "1000")
    assert "node1 | Daemon start success!" in logs.stdout


def test_a_daemon_that_dies_is_noticed_and_started_again(modern_cluster):
    modern_cluster.lingctl("deploy", "--yes")
    modern_cluster.on("node1", "docker exec lingctl-sandbox pkill -KILL -f mindieservice_daemon")
    deadline = time.monotonic() + 120
    while daemons(modern_cluster) != {"dead"} and time.monotonic() < deadline:
        time.sleep(0.2)
    status = modern_cluster.lingctl("status")
    assert status.status == 3
    assert "dead" in status.stdout
    again = modern_cluster.lingctl("deploy", "--yes", "--json")
    assert again.status == 0, again.said
    assert ("node1", "start the daemon") in changes(again.document)
    assert not any("container" in title for _, title in changes(again.document))
    stop = modern_cluster.lingctl("stop", "--yes")
    assert stop.status == 0, stop.said
    assert daemons(modern_cluster) == {"stopped"}
