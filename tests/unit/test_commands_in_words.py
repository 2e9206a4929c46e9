"""What the program's own words tell somebody to type has options that there are."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import lingctl
from lingctl.cli.app import app, register_verbs

PRODUCT = Path(lingctl.__file__).parent
_COMMAND = re.compile(r"\blingctl ([a-z][a-z-]*)((?: [^;,:()\n`\"]+)?)")
_OPTION = re.compile(r"--[a-z][a-z-]*")
_EVERYWHERE = {"--help", "--debug"}


def _verbs() -> dict[str, Any]:
    if not app.registered_commands:
        register_verbs()
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return dict(root.commands)


VERBS = _verbs()


def unknown_options(text: str) -> Iterator[str]:
    """Options that a command in a text names and does not have."""
    for verb, rest in _COMMAND.findall(text):
        command, words = VERBS.get(verb), rest.partition(" lingctl ")[0].split()
        if command is None:
            continue
        own = {*_EVERYWHERE, *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}
        if isinstance(command, TyperGroup) and words and words[0] in command.commands:
            inner = command.commands[words[0]]
            own |= {name for one in inner.params for name in (*one.opts, *one.secondary_opts)}
        for word in words:
            named = _OPTION.match(word)
            if named and named[0] not in own:
                yield f"lingctl {verb} {named[0]}"


def _texts(path: Path) -> Iterator[str]:
    if path.suffix == ".toml":
        waiting: list[object] = [tomllib.loads(path.read_text(encoding="utf-8"))]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                yield one
            elif isinstance(one, dict | list):
                waiting += one.values() if isinstance(one, dict) else one
        return
    inside = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def test_an_option_that_there_is_not_is_noticed():
    assert list(unknown_options("the same to all: lingctl download --from NODE; lingctl logs --node X")) == [
        "lingctl download --from"
    ]


@pytest.mark.parametrize("room", sorted(path.name for path in PRODUCT.iterdir() if path.is_dir()))
def test_every_command_that_is_told_has_its_options(room):
    files = [path for path in (PRODUCT / room).rglob("*") if path.suffix in (".py", ".toml")]
    told = {one for path in files for text in _texts(path) for one in unknown_options(text)}
    assert told == set()
