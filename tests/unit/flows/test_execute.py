"""Running a plan: barriers between stages, nodes side by side, nothing after a failure."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lingctl.errors import NodeError, WeightsError
from lingctl.events import Event
from lingctl.flows.run.execute import execute
from lingctl.plan import Run, Stage, Step, plan_of
from lingctl.remote.command import command, script
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile
from tests.unit.unwritten import UNWRITTEN


def step(stage: Stage, node: str, text: str, title: str = "a step") -> Step:
    return Step(stage, node, title, "change", "because", (Run(script(text), 20),))


@pytest.fixture
def group():
    return Group({name: LocalConnection(name) for name in ("node1", "node2")})


def run(plan_steps: list[Step], group: Group) -> list[Event]:
    heard: list[Event] = []
    lock = threading.Lock()

    def listen(event: Event) -> None:
        with lock:
            heard.append(event)

    execute(plan_of(plan_steps), group, listen, UNWRITTEN)
    return heard


def test_no_node_begins_a_stage_before_all_have_ended_the_last(group: Group, tmp_path: Path):
    log = tmp_path / "log"
    run(
        [
            step(Stage.DAEMON, "node1", f"echo late >> {log}"),
            step(Stage.FILES, "node1", f"echo early >> {log}"),
            step(Stage.FILES, "node2", f"sleep 0.4; echo early >> {log}"),
        ],
        group,
    )
    assert log.read_text().split() == ["early", "early", "late"]


def test_a_failure_lets_the_stage_end_and_begins_no_other(group: Group, tmp_path: Path):
    other, later = tmp_path / "other", tmp_path / "later"
    with pytest.raises(NodeError) as caught:
        run(
            [
                step(Stage.FILES, "node1", "echo it broke >&2; exit 9", "write config.json"),
                step(Stage.FILES, "node2", f"sleep 0.2; touch {other}"),
                step(Stage.DAEMON, "node2", f"touch {later}"),
            ],
            group,
        )
    assert (caught.value.where, caught.value.evidence) == ("node1", "it broke")
    assert "write config.json" in caught.value.what
    assert other.exists()
    assert not later.exists()


def test_steps_in_place_do_nothing(group: Group):
    assert run([Step(Stage.FILES, "node1", "write x", "in place", "as wanted")], group) == []


def test_the_node_programs_progress_and_errors_are_understood(group: Group):
    text = """
echo '{"event": "progress", "task": "shard", "done": 5, "total": 10}'
echo '{"event": "error", "what": "truncated", "where": "x.bin", "code": "bin-truncated"}'
exit 1
"""
    with pytest.raises(WeightsError) as caught:
        run([step(Stage.WEIGHTS, "node1", text, "convert")], group)
    assert caught.value.code == "bin-truncated"
    assert caught.value.where == "node1 x.bin"


def test_files_are_written_with_their_mode(group: Group, tmp_path: Path):
    target = tmp_path / "release" / "config.json"
    write = Step(Stage.FILES, "node1", "write", "change", "missing", (WriteFile(str(target), b"{}", 0o640),))
    heard = run([write], group)
    assert target.read_bytes() == b"{}"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [event.state for event in heard] == ["started", "done"]


def test_a_command_that_hangs_is_ended(group: Group):
    hung = Step(Stage.FILES, "node1", "hang", "change", "", (Run(command("sleep", 60), 0.3),))
    with pytest.raises(NodeError) as caught:
        run([hung], group)
    assert caught.value.code == "command-timeout"
