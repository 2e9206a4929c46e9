"""The failures that the sandbox's daemons print are told as what they are: neither side may drift."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from lingctl.flows.change.watch_start import death
from lingctl.flows.look.daemon import DaemonSight
from lingctl.mindie.logs.console import CONSOLE
from lingctl.release.console import WATCHED_BYTES, earlier_errors_command
from lingctl.remote.command import Command
from lingctl.remote.local import LocalConnection
from lingctl.sandbox.engine.words.failures import NAMED, words_of
from tests.unit.release.conftest import cluster_of

NOW = datetime(2026, 11, 28, 8, 5, 0, 123456)
CAUSES = {
    "npu-memory": "C1",
    "hccl-timeout": "E4",
    "card-busy": "F24",
    "driver-too-old": "F22",
    "operator-failed": "F23",
    "missing-package": "B34",
    "unknown": "Z2",
}
STARTING = "g_mainPid = 77\nConfigManager: Load Config from /x/config.json.\n[x] Execute command: y\n"


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("behind", [0, 200_000], ids=["at the end", "far from the end"])
def test_each_is_told_as_what_it_is(name: str, behind: int, tmp_path: Path):
    console = tmp_path / "console.log"
    console.write_text(STARTING + words_of(name, NOW) + "still ending\n" * (behind // 13))
    layout = cluster_of("node1").layout
    ask = earlier_errors_command(layout, CONSOLE).text.replace(layout.console, str(console))
    earlier = LocalConnection("node1").run(Command(ask)).stdout
    end = console.read_bytes()[-WATCHED_BYTES:].decode()
    sight = DaemonSight(False, "137", end, earlier=earlier)
    error = death(cluster_of("node1"), {"node1": sight})
    assert error.code == f"mindie-{CAUSES[name]}"
    if name == "unknown":
        assert "nothing known explains it" in error.what and "KeyError: 'rope_type'" in error.evidence


def test_two_nodes_are_told_apart():
    sights = {
        "node1": DaemonSight(False, "137", words_of("hccl-timeout", NOW)),
        "node2": DaemonSight(False, "137", words_of("card-busy", NOW.replace(minute=3))),
    }
    error = death(cluster_of("node1", "node2"), sights)
    assert (error.where, error.code) == ("node2", "mindie-F24")
    assert "node1: two cards did not reach each other in time" in error.evidence
