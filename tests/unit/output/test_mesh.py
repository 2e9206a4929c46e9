"""The mesh as it is printed: its rows and columns have names, and it fits a terminal of 80 columns."""

from __future__ import annotations

import io
from functools import cache

import pytest
from rich.console import Console

from lingctl.checks.reach.picture import MeshPicture
from lingctl.output.verbs import mesh
from lingctl.output.verbs.mesh import print_mesh
from tests.unit.checks.meshes import picture_of

LONG = [f"production-ascend-a2-rack07-{number}" for number in range(9)]
BAD = ("node2", 2)


def piped(capsys: pytest.CaptureFixture[str], picture: MeshPicture) -> str:
    print_mesh(picture)
    return capsys.readouterr().out


def test_two_nodes_card_by_card(capsys):
    def packets(one, two):
        return 0 if BAD in (one, two) else None if one == ("node1", 0) else 2 if two == ("node1", 3) else 3

    assert piped(capsys, picture_of(2, 4, packets, down=[("node2", 0)])) == (
        """
pings: 6 of 12 answered
cards, row to column:  o answered  / in part  X none  ? not known  . not tried
to node2/ 0 1 2 3   to node1/ 0 1 2 3
  node1/0 . ? . .     node2/0 . . . .
  node1/1 . o X .     node2/1 . o o .
  node1/2 . . X o     node2/2 . . X X
  node1/3 . . . o     node2/3 o . . /
"""
    )


def test_more_nodes_first_node_by_node_and_the_cards_of_what_is_not_whole(capsys):
    assert piped(
        capsys, picture_of(3, 3, lambda one, two: 0 if (one, two) == (("node1", 2), BAD) else 3)
    ) == (
        """
pings: 35 of 36 answered
nodes, row to column:  o answered  / in part
         1 2 3
1 node1    / o
2 node2  o   o
3 node3  o o

cards, row to column:  o answered  X none  . not tried
to node2/ 0 1 2
  node1/0 o o .
  node1/1 . o o
  node1/2 o . X
"""
    )


def test_of_many_nodes_only_what_is_not_whole_is_told_and_together_where_it_can_be(capsys):
    dead = piped(capsys, picture_of(64, 8, lambda one, two: 0 if "node7" in (one[0], two[0]) else 3))
    lines = dead.splitlines()
    assert lines[2] == "of 4,032 ways from node to node 3,906 are whole; these are not:"
    assert lines[4].split("  ")[:2] == ["node1, node2 ... (63 nodes)", "node7"]
    assert "0 of 1,008" in lines[5] and len(lines) == 6
    whole = piped(capsys, picture_of(64, 8))
    assert whole.splitlines()[2:] == ["of 4,032 ways from node to node 4,032 are whole"]


@cache
def _one_card_is_lost(nodes: int | tuple[str, ...], cards: int) -> MeshPicture:
    lost = ("node1" if isinstance(nodes, int) else nodes[0], 1)
    return picture_of(nodes, cards, lambda one, two: 0 if lost in (one, two) else 3)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("nodes", "cards"), [(2, 8), (2, 16), (5, 8), (16, 8), (64, 8), (LONG[:2], 8), (LONG, 8)]
)
def test_it_fits_eighty_columns(capsys, monkeypatch, nodes, cards: int, terminal: bool):
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, color_system=None, highlight=False)
    monkeypatch.setattr(mesh, "answers", lambda: console)
    print_mesh(_one_card_is_lost(tuple(nodes) if isinstance(nodes, list) else nodes, cards))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60
