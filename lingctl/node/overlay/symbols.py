"""Whether a tree has the names that the overlay uses, read from its text: nothing of it is run."""

from __future__ import annotations

import ast
from typing import Iterator, List, Mapping, Sequence, Set

from lingctl.node.overlay.tree import Tree


def missing_names(tree: Tree, requires: Mapping[str, Sequence[str]]) -> List[str]:
    """What is not there, as ``models/base/router.py: BaseRouter``."""
    missing: List[str] = []
    for path, wanted in requires.items():
        content = tree.read(path)
        if content is None:
            missing.append(f"{path}: the file")
            continue
        try:
            names = set(_names(ast.parse(content)))
        except (SyntaxError, ValueError):
            missing.append(f"{path}: readable Python")
            continue
        missing += [f"{path}: {name}" for name in wanted if name not in names]
    return missing


def _names(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                yield alias.asname or alias.name
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement.name
        elif isinstance(statement, ast.ClassDef):
            yield statement.name
            for name in _members(statement):
                yield f"{statement.name}.{name}"
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            yield from _assigned(statement)


def _members(statement: ast.ClassDef) -> Set[str]:
    """Methods, class attributes, and attributes that a method sets on ``self``."""
    found: Set[str] = set()
    for part in statement.body:
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(part.name)
        elif isinstance(part, (ast.Assign, ast.AnnAssign)):
            found.update(_assigned(part))
    for node in ast.walk(statement):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            found.add(node.attr)
    return found


def _assigned(statement: ast.stmt) -> Iterator[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id
