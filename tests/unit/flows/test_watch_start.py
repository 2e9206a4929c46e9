"""Which node is named when a start fails, what is said of it, and what becomes of the other nodes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import ConnectError, EngineError
from lingctl.events import Event
from lingctl.flows.change import watch_start
from lingctl.flows.change.watch_start import death, need_living_daemons, wait_until_loaded
from lingctl.flows.look.daemon import DaemonSight
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.mindie.logs.console import CONSOLE
from lingctl.release.console import WATCHED_BYTES, earlier_errors_command
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1", "node2")
MEMORY = "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity)"
LOST = "EI0006 wait socket establish timeout, role[0] rank[0] timeout[120 s]"


def gone(console: str = "", status: str = "137") -> DaemonSight:
    return DaemonSight(False, status, console)


def test_the_node_that_failed_first_is_named_with_its_card():
    error = death(CLUSTER, {"node1": gone(LOST), "node2": gone(MEMORY)})
    assert error.where == "node2, card 3"
    assert error.code == "mindie-C1"
    assert "a card's memory is full" in error.what and "137" in error.what
    assert error.evidence.splitlines() == [MEMORY, "node1: two cards did not reach each other in time"]
    assert "capacity" in error.remedy and "lingctl collect" in error.remedy


def test_the_cause_may_stand_in_another_log_than_the_console():
    other = replace(gone("loading"), others=MEMORY)
    error = death(CLUSTER, {"node1": gone("loading"), "node2": other})
    assert (error.where, error.code) == ("node2, card 3", "mindie-C1")
    assert "node1: ended without a known error" in error.evidence


def test_an_unknown_death_shows_its_first_errors_and_what_the_status_means():
    error = death(CLUSTER, {"node1": gone("a\n[ERROR] odd\nb"), "node2": DaemonSight(True, "", "")})
    assert (error.where, error.evidence, error.code) == ("node1", "[ERROR] odd", "daemon-died")
    assert "killed" in error.what and "nothing known explains it" in error.what


def test_a_cause_on_a_node_that_still_runs_is_found():
    error = death(CLUSTER, {"node1": gone(LOST), "node2": DaemonSight(True, "", MEMORY)})
    assert error.where == "node2, card 3"
    assert "is in trouble" in error.what


def test_only_the_three_first_lines_of_an_unknown_death_are_shown():
    log = "\n".join(f"[ERROR] odd {number}" for number in range(9))
    error = death(cluster_of("node1"), {"node1": gone(log, "1")})
    assert error.evidence.splitlines() == ["[ERROR] odd 0", "[ERROR] odd 1", "[ERROR] odd 2"]


def test_a_cause_before_the_watched_end_of_a_console_is_found():
    error = death(cluster_of("node1"), {"node1": replace(gone(LOST), earlier=MEMORY)})
    assert error.code == "mindie-C1"


class _Node(LocalConnection):
    """A node whose daemon is told by the test; takes down what it is asked to do."""

    def __init__(
        self,
        name: str,
        *,
        alive: bool,
        status: str = "",
        console: str = "",
        lost: bool = False,
        clock: tuple[float, str] = (0.0, "+0000"),
    ) -> None:
        super().__init__(name)
        self._clock = clock  # seconds ahead of ours, and its zone
        self.asked: list[str] = []
        self._look = "alive 7" if alive else "dead"
        self._status, self._console, self._lost = status, console, lost

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        self.asked.append(command.title)
        if command.title == "stop the daemon" and self._lost:
            raise ConnectError("the connection was lost", where=self.node)
        if command.title == "ask the clock":
            return Completed(command, 0, f"{time.time() + self._clock[0]} {self._clock[1]}\n", "")
        said = f"{self._look}\nd1g35t\n{self._status}\n{self._console}"
        return Completed(command, 0, said if command.title == "look at the daemon" else "", "")

    @property
    def stopped(self) -> bool:
        return "stop the daemon" in self.asked


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_start, "_SETTLE_SECONDS", 0.0)


def fails(*nodes: _Node) -> tuple[EngineError, list[Event]]:
    heard: list[Event] = []
    with pytest.raises(EngineError) as told:
        wait_until_loaded(Group({node.node: node for node in nodes}), CLUSTER, heard.append)
    return told.value, heard


def test_when_one_daemon_is_gone_the_others_are_stopped_and_it_is_said():
    living = _Node("node1", alive=True, console="GRPCCommunicator: wait slave connecting...")
    dead = _Node("node2", alive=False, status="137", console=MEMORY)
    error, heard = fails(living, dead)
    assert (living.stopped, dead.stopped) == (True, False)
    assert error.where == "node2, card 3"
    assert "node1: stopped too" in error.evidence
    assert [event.node for event in heard if event.task == "stop the other daemons"] == ["node1", "node1"]


SHARED = "2025-06-12 08:05:00,001 [ERROR] x - Shared memory size is not enough for all executors."
FULL = f"2025-06-12 08:04:00,001 [ERROR] y - {MEMORY}"


@pytest.mark.parametrize(
    ("clock", "first"),
    [
        ((0.0, "+0000"), "node2"),
        ((-300.0, "+0000"), "node1"),  # five minutes slow: what it says of 08:04 was at 08:09
        ((30.0, "+0000"), "node2"),
        ((0.0, "-0100"), "node1"),  # right, and in another zone
    ],
)
def test_the_clocks_of_the_nodes_tell_which_failed_first(clock: tuple[float, str], first: str):
    error, _ = fails(
        _Node("node1", alive=False, status="137", console=SHARED),
        _Node("node2", alive=False, status="137", console=FULL, clock=clock),
    )
    assert error.where.partition(",")[0] == first


def test_what_cannot_be_stopped_is_said_with_the_command_that_does_it():
    error, _ = fails(
        _Node("node1", alive=True, lost=True), _Node("node2", alive=False, status="137", console=MEMORY)
    )
    assert "node1: could not be stopped: the connection was lost" in error.evidence
    assert "lingctl stop" in error.remedy


def test_a_taken_port_is_told_at_once_and_nobody_waits_for_ever():
    taken = (
        "[2026-11-28 03:03:48.7] [1] [2] [llm] [ERROR] [g.cpp:195] Failed to start gRPC server on port 1120"
    )
    primary, follower = _Node("node1", alive=True, console=taken), _Node("node2", alive=True)
    error, _ = fails(primary, follower)
    assert (error.where, error.code) == ("node1", "mindie-D3")
    assert "will never be ready" in error.what
    assert primary.stopped and follower.stopped


def test_a_second_primary_is_told_at_once():
    words = (
        "[2026-11-28 02:56:13.1] [1] [2] [llm] [INFO] [g.cpp:153] GRPCCommunicator: Start to init as Master"
    )
    error, _ = fails(_Node("node1", alive=True, console=words), _Node("node2", alive=True, console=words))
    assert (error.where, error.code) == ("node2", "mindie-E24")


def test_living_daemons_are_let_alone():
    nodes = [_Node("node1", alive=True), _Node("node2", alive=True)]
    sights = need_living_daemons(Group({node.node: node for node in nodes}), CLUSTER, lambda _: None)
    assert all(sight.alive for sight in sights.values())
    assert not any(node.stopped for node in nodes)


def test_the_first_errors_of_a_long_console_are_read_before_its_end(tmp_path: Path):
    console = tmp_path / "console.log"
    console.write_bytes(
        b"[2026-11-28 02:00:00.000001] [1] [1] [llm] [INFO] loading\n"
        + MEMORY.encode()
        + b"\n[server] [ERROR] [single_req_x.cpp:1] refused. The requestId is endpoint_common_1\n"
        + b"nothing to see\n" * 20_000
    )
    command = earlier_errors_command(CLUSTER.layout, CONSOLE).text.replace(
        CLUSTER.layout.console, str(console)
    )
    said = LocalConnection("node1").run(Command(command)).stdout.splitlines()
    loading = "[2026-11-28 02:00:00.000001] [1] [1] [llm] [INFO] loading"
    assert said == [loading, MEMORY, "nothing to see", "nothing to see"]
    console.write_bytes(b"[ERROR] x\n" * (WATCHED_BYTES // 10))
    assert LocalConnection("node1").run(Command(command)).stdout == ""


def test_a_start_that_takes_too_long_names_the_node_that_never_came():
    """vLLM's first node waits for the workers of the others, and a node without a server says nothing."""
    vllm = cluster_of("node1", "node2", engine=EngineChoice(name="vllm", version="0.23.0"))
    waits = "(Worker pid=9) INFO 11-28 14:32:09 [p.py:1] world_size=2 rank=0 local_rank=0"
    waits += " distributed_init_method=tcp://10.0.0.1:18300"
    sights = {"node1": DaemonSight(True, "", waits), "node2": DaemonSight(True, "", "loading", True)}
    error = watch_start._too_late(vllm, sights)
    assert error.where == "node2"
    assert "waits for the workers of the other nodes" in error.what
    assert "node2: has not come to where the others wait for it" in error.evidence
