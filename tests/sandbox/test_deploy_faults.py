"""deploy as it is typed, where weights are missing and with each fault: nothing is called done too early."""

from __future__ import annotations

import pytest

from tests.hub_server import Hub, serve
from tests.sandbox.deploys import changes
from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox
WEIGHTS = "/root/models/Ling_plus"
# Where no weights tell their own size, those of the real Ling-plus are asked for: they do not fit four cards.
ANY_SIZE = ("--accept", "capacity")

# Fault: node it is set on, exit status, and words that must be said.
FAULTS = {
    "unreachable": ("node2", 4, ("node2",)),
    "wrong-host-key": ("node2", 4, ("node2", "host key")),
    "link-down=1": ("node2", 3, ("node2 card 1", "DOWN")),
    "no-address=1": ("node1", 3, ("node1 card 1", "address")),
    "tls-on=1": ("node2", 3, ("node2 card 1", "TLS")),
    "duplicate-address=1": ("node2", 3, ("node2 card 1", "address")),
    "port-taken=1025": ("node1", 3, ("node1", "1025")),
    "docker-down": ("node2", 1, ("node2", "docker")),
    "image-missing": ("node2", 1, ("node2", "image")),
    "disk-full=state": ("node2", 3, ("node2", "/var/lib/lingctl")),
    # Last: what it leaves running is what the test behind these deploys upon.
    "daemon-dies-loading": ("node2", 1, ("node2",)),
}


@pytest.fixture(scope="module")
def stopped(pair_cluster):
    """Two nodes on which nothing runs."""
    stop = pair_cluster.lingctl("stop", "--yes")
    assert stop.status == 0, stop.said
    yield pair_cluster
    pair_cluster.lingctl("stop", "--yes")


def digests(live: Live, node: str) -> str:
    return live.on(node, f"cd {WEIGHTS} && sha256sum *.safetensors tokenizer.json").stdout


def test_a_node_without_weights_gets_them_from_one_that_has_them(stopped):
    wanted = digests(stopped, "node1")
    stopped.on("node2", f"rm -rf {WEIGHTS}")
    plan = stopped.lingctl("deploy", "--dry-run", "--json", *ANY_SIZE)
    assert ("node2", "download inclusionAI/Ling-plus") in changes(plan.document)
    assert ("node1", "download inclusionAI/Ling-plus") not in changes(plan.document)
    done = stopped.lingctl(
        "deploy", "--yes", *ANY_SIZE, environment={"MODELSCOPE_ENDPOINT": "http://127.0.0.1:9"}
    )
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
        done = stopped.lingctl("deploy", "--yes", *ANY_SIZE, environment=environment)
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


def test_after_the_faults_it_deploys(stopped):
    """From where the last of them ended: one daemon dead, the other waiting for it, as the real one does."""
    result = stopped.lingctl("deploy", "--yes", "--json")
    assert result.status == 0, result.said
    assert {("node1", "start the daemon"), ("node2", "start the daemon")} <= set(changes(result.document))
    assert "Ready: Ling-plus answers" in result.stderr
    assert stopped.lingctl("stop", "--yes").status == 0


def test_a_printed_failure_is_told_by_its_cause_on_one_node_and_on_two(stopped, tmp_path):
    log = tmp_path / "posted.log"
    log.write_bytes(
        "2025-06-12 08:05:01,000 模型加载中\r\n".encode("gbk")
        + b"2025-06-12 08:05:02,000 [ERROR] \x1b[31mRuntimeError: NPU out of memory. Tried to allocate "
        + b"1.89 GiB (NPU 1)"
        + b"\x1b[0m\r\n"
        + b"[rank1]: EI0006: [PID: 77] 2025-06-12-08:07:20.444.436 Getting socket times out\n" * 4000
    )
    with (
        stopped.broken("node1", "daemon-prints=hccl-timeout"),
        stopped.broken("node2", f"daemon-prints={log}"),
    ):
        result = stopped.lingctl("deploy", "--yes")
        assert result.status == 1, result.said
        assert "error: node2, card 1: " in result.stderr
        assert "a card's memory is full (certain)  (mindie-C1)" in result.stderr
        assert "node1: two cards did not reach each other in time" in result.stderr
        problems = {
            row["node"]: row["problems"] for row in stopped.lingctl("status", "--json").document["nodes"]
        }
        assert "a card's memory is full (certain)" in problems["node2"][0]
        packed = stopped.lingctl("collect", "--no-check", "--json", "--to", str(tmp_path / "evidence.tar.gz"))
        assert packed.document["cause"] == "node2, card 1: a card's memory is full (certain)  (C1)", (
            packed.said
        )
        again = stopped.lingctl("explain", packed.document["path"], "--json")
        assert (again.status, again.document["verdict"]["where"]) == (0, "node2, card 1"), again.said
    with stopped.broken("node2", "daemon-prints=unknown"):
        result = stopped.lingctl("restart", "--yes")
        assert result.status == 1, result.said
        assert "error: node2: " in result.stderr and "nothing known explains it" in result.stderr
        assert "KeyError: 'rope_type'" in result.stderr
    assert stopped.lingctl("stop", "--yes").status == 0


def test_warnings_of_the_check_are_shown_above_the_plan(stopped):
    with stopped.broken("node1", "lldp-empty=1"):
        plan = stopped.lingctl("deploy", "--dry-run", "--json")
    assert plan.status == 0, plan.said
    assert 0 <= plan.stderr.find("warning  lldp [node1 card 1]") < plan.stderr.find("start the daemon")
    assert [(f["check"], f["node"], f["device"]) for f in plan.document["findings"]] == [("lldp", "node1", 1)]
