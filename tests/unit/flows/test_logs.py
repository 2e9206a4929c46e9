"""Which lines of a node's console come back, however long it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.flows.look import logs
from lingctl.flows.look.logs import WantedLogs, show_logs
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.release.layout import layout_of
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return cluster_of("node1", paths=Paths(state=str(tmp_path)))


def shown(cluster: Cluster, wanted: WantedLogs) -> list[str]:
    lines: list[str] = []
    group = Group({"node1": LocalConnection("node1")})
    show_logs(group, cluster, wanted, lambda _, line: lines.append(line))
    return lines


def write(cluster: Cluster, count: int) -> None:
    console = Path(layout_of(cluster).console)
    console.parent.mkdir(parents=True)
    console.write_text("".join(f"line {number:06} rank: {number % 2}\n" for number in range(count)))


def test_the_last_lines_and_the_lines_of_a_rank(cluster: Cluster):
    write(cluster, 100)
    assert shown(cluster, WantedLogs(lines=2)) == ["line 000098 rank: 0", "line 000099 rank: 1"]
    assert len(shown(cluster, WantedLogs(rank=1))) == 50


def test_of_a_console_that_is_too_long_to_bring_it_is_the_end_that_comes(cluster: Cluster, monkeypatch):
    monkeypatch.setattr(logs, "_MOST_BYTES", 1_000_010)
    write(cluster, 100_000)  # two megabytes
    note, first, *_, last = shown(cluster, WantedLogs(rank=1))
    assert note.startswith("(only the last 1 MB; what is kept is in ")
    assert first == "line 050001 rank: 1" and last == "line 099999 rank: 1"
    assert shown(cluster, WantedLogs(lines=1)) == ["line 099999 rank: 1"]


def test_a_time_before_all_time_is_the_beginning(cluster: Cluster):
    write(cluster, 0)
    Path(layout_of(cluster).console).write_text("2026-01-01 00:00:00,000 the only line\n")
    assert shown(cluster, WantedLogs(since=10**11)) == ["2026-01-01 00:00:00,000 the only line"]


def test_without_a_console_it_says_so(cluster: Cluster):
    with pytest.raises(NodeError) as caught:
        shown(cluster, WantedLogs())
    assert "nothing was started here yet" in caught.value.evidence and caught.value.remedy == "lingctl deploy"
