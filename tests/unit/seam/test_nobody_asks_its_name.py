"""Above the seam nobody asks which engine it is: what differs is a value that the engine tells."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

import lingctl
from lingctl.inventory.engine_choice import EngineName

PRODUCT = Path(lingctl.__file__).parent
ABOVE = ("cli", "output", "flows", "release", "checks", "serving")
NAMES = set(get_args(EngineName))
# What any service at a URL says of itself, which is its API's name and no engine of ours.
_OF_A_SERVICE = {"serving/http/client.py"}


def _asks(module: ast.Module) -> list[int]:
    """The lines that compare something with an engine's name, or choose by it."""
    found = []
    for node in ast.walk(module):
        compared: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node.value]
        elif isinstance(node, ast.Subscript) and getattr(node.value, "id", "") != "Literal":
            compared = [node.slice]  # a Literal only names what may be typed
        constants = [
            inner for part in compared for inner in ast.walk(part) if isinstance(inner, ast.Constant)
        ]
        found += [node.lineno for one in constants if one.value in NAMES]
    return found


def test_a_question_is_noticed():
    asked = "if engine.about.name == 'vllm': pass\nif name in ('mindie', 'x'): pass\nTABLE[\"vllm\"]"
    assert _asks(ast.parse(asked)) == [1, 2, 3]


@pytest.mark.parametrize("room", ABOVE)
def test_no_room_above_asks(room):
    asked = {
        str(path.relative_to(PRODUCT)): lines
        for path in (PRODUCT / room).rglob("*.py")
        if str(path.relative_to(PRODUCT)) not in _OF_A_SERVICE
        and (lines := _asks(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert asked == {}
