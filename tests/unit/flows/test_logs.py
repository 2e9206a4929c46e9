"""Which lines of a node's console come back, however long it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lingctl.errors import NodeError, UsageError
from lingctl.flows.look import logs
from lingctl.flows.look.logs import WantedLogs, need_pattern, show_logs
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return cluster_of("node1", paths=Paths(state=str(tmp_path)))


def shown(cluster: Cluster, wanted: WantedLogs) -> list[str]:
    lines: list[str] = []
    group = Group({"node1": LocalConnection("node1")})
    show_logs(group, cluster, wanted, lambda line: lines.append(line.text))
    return lines


def write(cluster: Cluster, count: int) -> None:
    console = Path(cluster.layout.console)
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
    Path(cluster.layout.console).write_text("2026-01-01 00:00:00,000 the only line\n")
    assert shown(cluster, WantedLogs(since=10**11)) == ["2026-01-01 00:00:00,000 the only line"]


def test_without_a_console_it_says_so(cluster: Cluster):
    with pytest.raises(NodeError) as caught:
        shown(cluster, WantedLogs())
    assert "nothing was started here yet" in caught.value.evidence and caught.value.remedy == "lingctl deploy"


def test_a_console_that_cannot_be_looked_at_is_not_called_absent(cluster: Cluster):
    folder = Path(cluster.layout.console).parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(folder.name)  # it leads to itself
    with pytest.raises(NodeError) as caught:
        shown(cluster, WantedLogs())
    assert "nothing was started" not in caught.value.evidence and "ls -l" in caught.value.remedy


def test_a_console_that_cannot_be_read_is_not_shown_as_an_empty_one(cluster: Cluster):
    Path(cluster.layout.console).mkdir(parents=True)  # there, and nothing can be read from it
    for wanted in (WantedLogs(), WantedLogs(pattern="ERROR")):
        with pytest.raises(NodeError) as caught:
            shown(cluster, wanted)
        assert "Is a directory" in caught.value.evidence and "ls -l" in caught.value.remedy


CONSOLE = """\
2026-11-28 10:00:00,000 [INFO] [pid: 1] rank: 0 begins
2026-11-28 10:00:01,000 [ERROR] [pid: 2] rank: 1 cannot: {"a": [1]}
  File "x.py", line 1
    cannot go on
2026-11-28 10:00:02,000 [INFO] [pid: 2] rank: 1 done 机
2026-11-28 11:00:00,000 [ERROR] [pid: 3] rank: 0 late

"""


def written(cluster: Cluster, text: str = CONSOLE) -> Cluster:
    console = Path(cluster.layout.console)
    console.parent.mkdir(parents=True)
    console.write_text(text)
    return cluster


@pytest.mark.parametrize(
    ("pattern", "ends"),
    [
        ("cannot", ['cannot: {"a": [1]}', "cannot go on"]),
        ("ERROR|begins$", ["begins", "[1]}", "late"]),
        (r'\{"a": \[', ["[1]}"]),
        ("[0-9]+:[0-9]+:02", ["done 机"]),
        ("机", ["done 机"]),
        ("^$", [""]),
        ("line [[:digit:]]", ["line 1"]),
        ("nothing like it", []),
        ("[$](touch x)|`touch y`; 'z' \" -e", []),
    ],
)
def test_only_lines_that_hold_the_pattern_come(cluster: Cluster, pattern: str, ends: list[str]):
    assert need_pattern(pattern) == pattern
    found = shown(written(cluster), WantedLogs(pattern=pattern))
    assert len(found) == len(ends) and all(line.endswith(end) for line, end in zip(found, ends, strict=True))


def test_the_last_lines_are_counted_among_those_that_hold_it(cluster: Cluster):
    written(cluster)
    assert shown(cluster, WantedLogs(lines=1, pattern="ERROR")) == [CONSOLE.splitlines()[5]]
    assert shown(cluster, WantedLogs(lines=0, pattern="ERROR")) == []
    # None of these has a line before it that only tells its time.
    assert shown(cluster, WantedLogs(lines=1, pattern="2026")) == [CONSOLE.splitlines()[5]]


def test_a_line_has_the_time_and_rank_of_those_before_it_also_where_these_do_not_hold_the_pattern(
    cluster: Cluster,
):
    written(cluster)
    lines: list[logs.ShownLine] = []
    group = Group({"node1": LocalConnection("node1")})
    show_logs(group, cluster, WantedLogs(pattern="go on|late", stamped=True), lines.append)
    assert [line.time and f"{line.time:%H:%M:%S}" for line in lines] == ["10:00:01", "11:00:00"]
    assert lines[0].as_json()["node"] == "node1" and lines[0].file == cluster.layout.console
    assert shown(cluster, WantedLogs(rank=1, pattern="go on|late|done")) == [
        "    cannot go on",
        CONSOLE.splitlines()[4],
    ]
    # By the clock of today all of it is old.
    assert shown(cluster, WantedLogs(since=1, pattern="go on|late")) in ([], [CONSOLE.splitlines()[5]])


def test_a_search_of_a_part_of_the_console_says_so(cluster: Cluster, monkeypatch):
    monkeypatch.setattr(logs, "_MOST_BYTES", 1_000_010)
    write(cluster, 100_000)
    note, only = shown(cluster, WantedLogs(pattern="line 099999"))
    assert note.startswith("(only the last 1 MB") and only == "line 099999 rank: 1"
    assert len(shown(cluster, WantedLogs(pattern="line 000001"))) == 1  # the note alone


@pytest.mark.parametrize(
    "pattern", ["[", "(a", "*", "a(", r"\d+", r"\bword", "(?i)x", "a+?", "a\nb", "", "x" * 1_001, "a\\"]
)
def test_what_is_no_valid_expression_is_refused_before_a_node_is_asked(pattern: str):
    with pytest.raises(UsageError) as caught:
        need_pattern(pattern)
    assert caught.value.code == "log-pattern" and caught.value.evidence and "grep -E" in caught.value.remedy


def test_of_a_class_of_characters_python_warns_nobody(recwarn: pytest.WarningsRecorder):
    assert need_pattern("[[:digit:]]+[[:space:]]")
    # Of another kind there may be one: of a file that an earlier test left to be collected.
    assert not [one for one in recwarn.list if issubclass(one.category, FutureWarning)]


def test_a_node_that_does_not_take_it_is_no_node_without_lines(cluster: Cluster):
    written(cluster)
    with pytest.raises(UsageError, match="no valid expression"):
        shown(cluster, WantedLogs(pattern="("))


def test_lines_that_come_are_searched_too_and_it_ends_with_its_connection(cluster: Cluster):
    written(cluster)
    console = Path(cluster.layout.console)
    follow = logs._follow_command(cluster.layout, WantedLogs(pattern="ERROR"))
    with subprocess.Popen(
        ["sh", "-c", follow.text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        said = iter(process.stdout.readline, "")
        assert [next(said)[:1] for _ in range(4)] == ["-", "+", "-", "+"]
        with console.open("a") as file:
            file.write("nothing\n2026-11-28 12:00:00,000 begins\nERROR at last\n")
        assert [next(said), next(said)] == ["-2026-11-28 12:00:00,000 begins\n", "+ERROR at last\n"]
        process.stdin.close()
        assert process.wait(30) == 0
