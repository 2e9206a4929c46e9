"""Every command of the documents that can be typed here is typed, and says what the page shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.blocks import CHECKOUT, Block, all_blocks
from tests.documents.compare import differences
from tests.documents.renew import keep
from tests.documents.world import World
from tests.sandbox.live import Live

BLOCKS = [block for block in all_blocks() if block.kind == "run"]
README = CHECKOUT / "README.md"  # whose deploy is the first on the cluster, as it shows
PAGES = sorted({block.page for block in BLOCKS}, key=lambda page: (page != README, page))
RENEW = "LINGCTL_RENEW_PAGES" in os.environ


def typed(world: World, blocks: list[Block]) -> list[str]:
    """Type them in their order; what was not as the page says."""
    wrong = []
    for block in blocks:
        for command in block.typed:
            ran = world.type(block, command)
            place = f"{block.page.relative_to(CHECKOUT)}:{command.line - 1}: {command.command}"
            if ran.status != command.status:
                wrong.append(
                    f"{place}\nended with {ran.status}, not {command.status}:\n{ran.answer}{ran.said}"
                )
                continue
            told = differences(command.shown, ran.answer, ran.said)
            if told and not (RENEW and keep(block, command, ran.answer)):
                wrong.append("\n".join([place, *told]))
    return wrong


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The cluster that a page says how to start; taken down as a page says."""
    made = World(tmp_path_factory.mktemp("pages"))
    last = [block for block in BLOCKS if block.has("last")]
    try:
        assert not typed(made, [block for block in BLOCKS if block.has("first")])
        yield made
    finally:
        assert not typed(made, last)


def blocks_of(page: Path) -> list[Block]:
    return [
        block for block in BLOCKS if block.page == page and not block.has("first") and not block.has("last")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_what_a_page_tells_to_type_does_what_it_says(page: Path, request: pytest.FixtureRequest) -> None:
    blocks = blocks_of(page)
    world = request.getfixturevalue("world")
    if page != README and not world.deployed:
        assert not typed(world, blocks_of(README)), "the README's own test says why"
    world.deployed = True
    wrong = typed(world, blocks)
    assert not wrong, "\n\n".join(wrong)


UNINSTALL = CHECKOUT / "docs/uninstall.md"
# All of an emulated node but what it shows of this machine, and the folder of models.
ELSEWHERE = ("/proc", "/sys", "/.sandbox", "/tmp", "/root/models", str(CHECKOUT), sys.prefix)
_NOT_THERE = " ".join(f"-not -path '{folder}/*'" for folder in ELSEWHERE)
OURS = f"find / -xdev -iname '*lingctl*' {_NOT_THERE}; docker ps -a --format '{{{{.Names}}}}'"


def test_what_uninstall_md_says_to_type_leaves_nothing_on_a_node(world: World) -> None:
    if not world.deployed:
        assert not typed(world, blocks_of(README)), "the README's own test says why"
    live = Live(world.sandbox)
    here, there = (block for block in all_blocks([UNINSTALL]) if block.kind == "tested")
    assert [command.command for command in here.typed] == ["lingctl stop"]
    assert live.lingctl("stop", "--yes").status == 0
    before = set(live.on("node1", OURS).stdout.split())
    assert {"/var/lib/lingctl", "lingctl-sandbox"} <= before
    for command in there.typed:
        done = live.on("node1", command.command.replace("CLUSTER", "sandbox"))
        assert done.status == 0, done.said
    assert set(live.on("node1", OURS).stdout.split()) == {"/var/lib/lingctl"}  # empty
