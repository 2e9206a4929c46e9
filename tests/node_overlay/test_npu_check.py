"""npu-check the whole way, with torch's gloo in the place of cards: workers, rendezvous, sums, verdicts."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.network.npu_check import NpuOptions, _visible, npu_check_here, npu_check_nodes
from lingctl.inventory.load import load_cluster
from lingctl.node import npu_check
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="npu-check asks torch")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """The nodes' python3 is ours, which has torch."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def cluster(tmp_path):
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(
        f"""
name: cards
model: Ling-plus
paths: {{state: {tmp_path}/state, models: {tmp_path}/models}}
nodes:
  - {{name: one, address: 127.0.0.1, devices: [0, 1]}}
  - {{name: two, address: 127.0.0.2, devices: [0, 1]}}
"""
    )
    return load_cluster(hosts)


def _group(cluster):
    return Group({node.name: LocalConnection(node.name) for node in cluster.nodes})


OPTIONS = NpuOptions(device="cpu", host=True)


def test_all_cards_of_all_nodes_add_up(cluster):
    report = npu_check_nodes(_group(cluster), cluster, OPTIONS, ignore)
    assert report.exit_status == 0, report.findings
    ranks = [card.rank for answer in report.answers.values() for card in answer.cards]
    assert ranks == [0, 1, 2, 3]
    checks = [finding.check for finding in report.findings if finding.verdict is Verdict.PASS]
    assert checks.count("npu-product") == checks.count("npu-all-reduce") == 4
    assert checks.count("npu-count") == 2


def test_this_machine():
    report = npu_check_here(NpuOptions(device="cpu", cards=1), ignore)
    assert report.exit_status == 0, report.findings
    assert report.as_json()["nodes"][0]["found"] == 1


def test_without_torch_npu_nothing_passes():
    report = npu_check_here(NpuOptions(), ignore)
    assert report.exit_status == 1
    assert [finding.check for finding in report.findings] == ["no-torch"]
    assert "set_env.sh" in report.findings[0].remedy


def test_a_node_without_container_is_told_before_others_wait(cluster):
    report = npu_check_nodes(_group(cluster), cluster, NpuOptions(device="cpu"), ignore)
    assert {finding.check for finding in report.findings} == {"npu-no-container", "npu-device"}
    assert report.exit_status == 1


def test_a_rank_that_is_missing_is_a_failure_and_no_hang():
    """One of two ranks alone: the rendezvous ends by its time limit."""
    words = [sys.executable, "-m", "lingctl.node", "npu-check", "--device", "cpu", "--cards", "1"]
    words += ["--world", "2", "--timeout", "3"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    card = json.loads(done.stdout.splitlines()[-1])["cards"][0]
    assert (card["product"], card["reduced"]) == ("good", "failed")
    assert card["error"]


# A card that logs 300 KB before it takes its part; the first one waits for that, as in an all-reduce.
TALKATIVE = """
import json, pathlib, sys, time
part, card = pathlib.Path(sys.argv[1]), int(sys.argv[-1])
if card == 1:
    print("log " * 75_000, flush=True)
    part.touch()
deadline = time.monotonic() + 20
while not part.exists() and time.monotonic() < deadline:
    time.sleep(0.02)
print(json.dumps({"event": "result", "card": card, "reduced": "good" if part.exists() else "failed"}))
"""


def test_a_worker_that_logs_much_does_not_stop_the_others(tmp_path, monkeypatch):
    program = [sys.executable, "-c", TALKATIVE, str(tmp_path / "part")]
    monkeypatch.setattr(npu_check, "_program", lambda: program)
    parser = argparse.ArgumentParser()
    npu_check.add_arguments(parser)
    answers = npu_check._answers(parser.parse_args(["--device", "cpu", "--port", "1"]), 2, lambda _: None)
    assert answers == [{"card": card, "reduced": "good"} for card in (0, 1)]


@pytest.mark.parametrize(
    ("devices", "host", "privileged", "words"),
    [
        ("[0, 1]", True, "false", []),
        ("[4, 5]", True, "false", ["--visible", "4,5"]),
        ("[4, 5]", False, "true", ["--visible", "4,5"]),
        ("[4, 5]", False, "false", []),
    ],
)
def test_cards_are_named_where_all_are_seen(tmp_path, devices, host, privileged, words):
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(
        f"name: cards\nmodel: Ling-lite\ncontainer: {{privileged: {privileged}}}\n"
        f"nodes: [{{name: one, address: 127.0.0.1, devices: {devices}}}]\n"
    )
    cluster = load_cluster(hosts)
    assert _visible(cluster, cluster.primary, NpuOptions(host=host)) == words


class _Wrong:
    """torch with a device whose products are off, as a broken card's are."""

    def __init__(self, by):
        self._by = by

    def __getattr__(self, name):
        return getattr(torch, name)

    def randn(self, *shape, generator):
        made = torch.randn(*shape, generator=generator)
        return _OnCard(made, self._by)


class _OnCard:
    def __init__(self, tensor, by):
        self._tensor, self._by = tensor, by

    def bfloat16(self):
        return _OnCard(self._tensor.bfloat16(), self._by)

    def float(self):
        return self._tensor.float()

    def to(self, place):
        return self

    def __matmul__(self, other):
        product = self._tensor @ other._tensor
        product[3, 5] += self._by
        return product


@pytest.mark.parametrize(("by", "good"), [(0.0, True), (10.0, False), (float("nan"), False)])
def test_a_wrong_product_is_seen(by, good):
    assert (npu_check.product_error(_Wrong(by), "cpu") <= npu_check._TOLERANCE) is good
