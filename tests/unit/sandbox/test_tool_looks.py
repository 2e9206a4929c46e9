"""Which calls the sandbox's tool server answers itself, and that nobody who does not read can hold it up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lingctl.sandbox.node.tool_looks import look
from lingctl.sandbox.state import Card, NodeState
from lingctl.sandbox.tools import docker, hccn_tool, npu_smi


def tool(said: str, *, error: str = "", looks: bool = True, status: int = 3) -> SimpleNamespace:
    def main(words: list[str]) -> int:
        sys.stdout.write(said)
        sys.stderr.write(error)
        return status

    return SimpleNamespace(main=main, only_looks=lambda words: looks)


@pytest.fixture
def pipes() -> Iterator[list[int]]:
    """Reading ends of standard output and error, then the three streams."""
    (out, out_end), (err, err_end), null = os.pipe(), os.pipe(), os.open(os.devnull, os.O_RDWR)
    yield [out, err, null, out_end, err_end]
    for descriptor in (out, err, null, out_end, err_end):
        os.close(descriptor)


def test_a_look_is_answered_with_its_words_and_status(pipes: list[int]) -> None:
    out, _, *streams = pipes
    assert look(tool("four cards\n"), ["info"], streams) == 3
    assert os.read(out, 100) == b"four cards\n"


def unfinished(words: list[str]) -> int:
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("asked", "unread"),
    [
        (tool("x", looks=False), b""),
        (tool("x"), b"not read yet"),
        (tool("x" * 70_000), b""),
        (tool("x", error="both streams"), b""),
        (SimpleNamespace(main=unfinished, only_looks=lambda words: True), b""),
    ],
    ids=["changes", "nobody reads", "more than a pipe holds", "two streams", "ends as a program does"],
)
def test_what_may_wait_gets_a_process_of_its_own(
    pipes: list[int], asked: SimpleNamespace, unread: bytes
) -> None:
    out, _, *streams = pipes
    os.write(streams[1], unread)
    assert look(asked, ["info"], streams) is None
    os.write(streams[1], b"|")
    assert os.read(out, 100) == unread + b"|"


def card(number: int, *, hang: bool = False) -> Card:
    return Card(number, "10.0.0.1", "10.0.0.1", "255.0.0.0", "10.0.0.9", "10.0.0.9", hang=hang)


WELL = NodeState("node1", "127.0.0.2", "node1", [card(0), card(1)])
STATES = {
    "well": WELL,
    "busy": replace(WELL, faults={"busy": "2"}),
    "slow": replace(WELL, faults={"slow-tools": "0.6"}),
    "hangs": replace(WELL, cards=[card(0), card(1, hang=True)]),
}


@pytest.mark.parametrize(
    ("words", "state", "looks"),
    [
        ("hccn_tool -i 0 -ip -g", "well", True),
        ("hccn_tool -i 0 -ping -g address 10.0.0.2", "well", True),
        ("hccn_tool -i 0 -ip -g", "busy", False),
        ("hccn_tool -i 0 -ip -g", "slow", False),
        ("hccn_tool -i 0 -ip -g", "hangs", False),
        ("hccn_tool -i 0 -tls -s enable 0", "well", False),
        ("hccn_tool -a -cfg recovery", "well", False),
        ("hccn_tool -i 0", "well", False),
        ("npu-smi info", "well", True),
        ("docker version --format x", "well", True),
        ("docker image inspect x", "well", True),
        ("docker inspect x", "well", True),
        ("docker image pull x", "well", False),
        ("docker exec x ls", "well", False),
        ("docker container rm x", "well", False),
        ("docker", "well", False),
    ],
)
def test_what_only_looks(words: str, state: str, looks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hccn_tool, "this_node", lambda: STATES[state])
    name, *rest = words.split()
    tools: dict[str, Callable[[Sequence[str]], bool]] = {
        "hccn_tool": hccn_tool.only_looks,
        "npu-smi": npu_smi.only_looks,
        "docker": docker.only_looks,
    }
    assert tools[name](rest) is looks
