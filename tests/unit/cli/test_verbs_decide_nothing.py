"""The command line parses, calls one flow and prints; the story of a change is told below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lingctl.cli

MODULES = sorted(Path(lingctl.cli.__file__).parent.rglob("*.py"))
# What opens the lock, writes the journal, makes or runs steps. A verb that reaches for these tells a story.
MEANS = ("lingctl.flows.run.change", "lingctl.flows.run.execute", "lingctl.flows.run.story", "lingctl.plan")
LOCK = {"locked", "Lock"}


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of everything that is imported anywhere below, types alone left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", one.name) for one in node.names)
        elif isinstance(node, ast.Import):
            yield from ((one.name, "") for one in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imported(node)


def flows_of(tree: ast.AST) -> set[str]:
    """The functions of flows that are imported below, by the name they have here."""
    return {
        one.asname or one.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lingctl.flows.")
        for one in node.names
        if one.name[0].islower()
    }


def faults(text: str) -> list[str]:
    """What a module of the command line does that is not its business."""
    tree = ast.parse(text)
    found = [f"has {module}.{name}" for module, name in imported(tree) if module in MEANS]
    found += [f"has {name}" for module, name in imported(tree) if "lock" in module and name in LOCK]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    own = {function.name for function in functions}
    for function in functions:
        taken = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        if "lock_wait" not in taken:
            continue
        flows = flows_of(function)
        called = [
            ast.unparse(node.func)
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        if not set(called) & own - {function.name}:  # it hands the wait on to no other function here
            changes = [name for name in called if name in flows]
            if len(changes) != 1:
                found.append(f"{function.name} calls {len(changes)} flows and not one: {changes}")
            if any(module == "lingctl.remote.group" for module, _ in imported(function)):
                found.append(f"{function.name} connects to nodes")
            if "confirm" in called:
                found.append(f"{function.name} asks")
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_verb_calls_one_flow_and_opens_no_lock(module: Path):
    assert faults(module.read_text()) == []


def test_every_verb_that_changes_nodes_is_looked_at():
    waiting = {path.stem for path in MODULES if "lock_wait: LockWaitOption" in path.read_text()}
    assert waiting == {"check_network", "deploy", "download", "patch", "restart", "rollback", "stop"}


def test_a_verb_that_tells_the_story_itself_is_found_out():
    told_here = """
def deploy(nodes=None, yes=False, lock_wait=0):
    from lingctl.flows.change.deploy import plan_deploy, run_deploy
    from lingctl.flows.run.change import changing
    from lingctl.output.questions import confirm
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        deployment = plan_deploy(group, cluster)
    if confirm("Do this?", yes=yes):
        with connect(cluster) as group, changing(group, cluster, "lingctl deploy", wait=lock_wait) as change:
            run_deploy(group, deployment, change)
"""
    assert faults(told_here) == [
        "has lingctl.flows.run.change.changing",
        "deploy calls 3 flows and not one: ['plan_deploy', 'changing', 'run_deploy']",
        "deploy connects to nodes",
        "deploy asks",
    ]
