"""Our program on a node: one look, one push of what differs, and an answer that has its type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.inventory.runtime import DOCKER
from lingctl.program.answers import read_answers
from lingctl.program.node_program import NodeProgram
from lingctl.program.prepare import InContainer, InImage, Preparation, apart, prepare
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile


class _Watched(LocalConnection):
    """This machine, as a node that counts what is asked of it and keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__("node1")
        self.asked: list[str] = []
        self.sent: list[list[str]] = []

    def run(self, command: Command, **how) -> Completed:
        self.asked.append(command.title)
        return super().run(command, **how)

    def put(self, *files: WriteFile, **how) -> None:
        self.sent.append([Path(file.path).name for file in files])
        super().put(*files, **how)


@dataclass(frozen=True)
class Inspected:
    form: str
    complete: bool


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which the node looks for programs, with what its scripts need."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "sha256sum"):
        (folder / tool).symlink_to(f"/usr/bin/{tool}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _tool(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_what_differs_is_pushed_in_one_go_and_nothing_the_second_time(tmp_path: Path) -> None:
    node, path = _Watched(), str(tmp_path / "state" / "node.pyz")
    extra = WriteFile(str(tmp_path / "state" / "extra.json"), b"{}", 0o640)
    program = prepare(node, path, files=(extra,))
    answer = program.ask(Inspected, "weights", "inspect", str(tmp_path))
    assert answer == Inspected("none", False)
    assert (node.asked, node.sent) == (
        ["look for our program", "weights inspect"],
        [["node.pyz", "extra.json"]],
    )
    prepare(node, path, files=(extra,))
    Path(extra.path).write_bytes(b"[]")
    prepare(node, path, files=(extra,))
    assert node.sent[1:] == [["extra.json"]]


def test_the_first_python_that_is_new_enough_runs_it_and_the_newer_one_is_known_too(on_path: Path) -> None:
    def python(name: str, version: str, status: int) -> None:
        _tool(on_path, name, f"echo python {version} 1 {name} /opt/{name}; exit {status}")

    python("python3", "3 6", 3)
    python("python3.9", "3 9", 4)
    python("python3.12", "3 12", 0)
    program = prepare(_NoPush("node1"), "/state/node.pyz")
    assert program.command("x").text == "python3.12 /state/node.pyz x"
    assert [python.path for python in program.pythons] == ["/opt/python3", "/opt/python3.12"]


class _NoPush(LocalConnection):
    def put(self, *files: WriteFile, **how) -> None:
        """Takes it for done."""


def test_without_a_python_the_image_runs_it_and_without_either_it_is_told(on_path: Path) -> None:
    where = InImage(DOCKER, "mindie:1", ("/models:/models",))
    _tool(on_path, "docker", "exit 1")
    with pytest.raises(NodeError) as caught:
        prepare(_NoPush("node1"), "/state/node.pyz", where)
    assert (caught.value.code, caught.value.where) == ("no-python", "node1")
    assert "docker pull mindie:1" in caught.value.remedy
    _tool(on_path, "docker", "echo sha256:1")
    assert prepare(_NoPush("node1"), "/state/node.pyz", where).command("x").text == (
        "docker run --rm --network none -v /models:/models mindie:1 python3 /state/node.pyz x"
    )


@pytest.mark.parametrize(
    ("docker", "status"), [("exit 1", "absent"), ("echo container exited", "exited"), ("kill $$", "absent")]
)
def test_a_container_that_does_not_run_is_told_before_anything_is_pushed(
    on_path: Path, docker: str, status: str
) -> None:
    _tool(on_path, "docker", docker)
    where = InContainer(DOCKER, "ling", lacking="no torch", code="no-container")
    node = _Watched()
    with pytest.raises(NodeError) as caught:
        prepare(node, "/state/node.pyz", where)
    assert (caught.value.what, caught.value.code) == (
        f"container ling is {status}, so there is no torch",
        "no-container",
    )
    assert node.sent == []


def _says(text: str) -> NodeProgram:
    return NodeProgram(LocalConnection("node1"), "printf", "%s\\n", text)


@pytest.mark.parametrize(
    "said", [{"form": "none"}, {"form": "none", "complete": "yes"}, {"form": 1, "complete": True}]
)
def test_an_answer_of_another_form_is_an_error_and_not_bent(said: dict) -> None:
    with pytest.raises(NodeError, match="not understood") as caught:
        _says(json.dumps({"event": "result", **said})).ask(Inspected)
    assert caught.value.code == "program-answer"


def test_what_is_no_answer_is_quoted_with_a_remedy() -> None:
    with pytest.raises(NodeError) as caught:
        _says("sh: 1: python3: not found").ask(Inspected)
    assert (caught.value.code, caught.value.evidence) == ("no-python", "sh: 1: python3: not found")


NOWHERE = "/no 'where' $(echo x)"


def _asked_at_once(preparation: Preparation) -> tuple[str, str | None]:
    node = LocalConnection("node1")
    return apart(node.run(preparation.look_and_ask("weights", "inspect", NOWHERE)).stdout)


def test_it_is_run_at_once_where_it_is_as_it_should_be_and_nobody_else_may_have_written_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "state"
    preparation = Preparation(str(folder / "node.pyz"))
    assert _asked_at_once(preparation)[1] is None
    preparation.finish(LocalConnection("node1"), _asked_at_once(preparation)[0])
    look, answer = _asked_at_once(preparation)
    result = read_answers(answer or "").result
    assert result is not None and result["folder"] == NOWHERE
    assert preparation.finish(_NoPush("node1"), look).command("x").text.endswith("node.pyz x")
    folder.chmod(0o777)
    look, answer = _asked_at_once(preparation)
    assert answer is None
    with pytest.raises(NodeError, match="others may write"):
        preparation.finish(_NoPush("node1"), look)
    folder.chmod(0o750)
    with (folder / "node.pyz").open("ab") as program:
        program.write(b" ")
    assert _asked_at_once(preparation)[1] is None
