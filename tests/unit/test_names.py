"""One name, one thing: a class or alias that is named like another one far away is mixed up with it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import lingctl

_PRODUCT = Path(lingctl.__file__).parent

# Names that may stand more than once, with the reason.
_ON_PURPOSE = {
    "Answers": "of a probe, and of the node program: both by question",
    "Tick": "how far one is, told to a function beside it: never imported",
}


def _names(module: ast.Module) -> Iterator[str]:
    """Public classes and aliases at the top of a module."""
    for statement in module.body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def _defined() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(_PRODUCT.rglob("*.py")):
        place = path.relative_to(_PRODUCT)
        if place.parts[0] in ("sandbox", "_assets"):
            continue
        for name in _names(ast.parse(path.read_text())):
            # A type is written in CamelCase; T, for whatever type, is everybody's.
            if name[0].isupper() and len(name) > 1 and not name.isupper():
                found[name].append(str(place))
    return found


def test_no_two_types_have_one_name() -> None:
    defined = _defined()
    assert {"Finding", "Trouble", "Release"} & set(defined), "the product was not found"
    twice = {name: places for name, places in defined.items() if len(places) > 1 and name not in _ON_PURPOSE}
    assert twice == {}
