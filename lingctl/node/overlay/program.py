"""overlay ACTION: the bailing_moe overlay in the atb_llm of this node."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, fields
from typing import Dict, List, Optional

from lingctl.node.overlay import change
from lingctl.node.overlay.difference import overlay_difference
from lingctl.node.overlay.package import Package, read_package
from lingctl.node.overlay.state import look
from lingctl.node.overlay.store import Store
from lingctl.node.overlay.tree import Tree, find_root
from lingctl.node.overlay.verify import verify
from lingctl.node.progress import Report

ACTIONS = ("status", "diff", "apply", "verify", "revert")


@dataclass(frozen=True)
class TreeOptions:
    """What was asked for."""

    root: Optional[str] = None  # the atb_llm package; looked for where it is None
    record: bool = False  # also give the digests of the stock files
    force: bool = False  # go on although something is not as it should be; a copy is kept
    allow_running: bool = False  # although MindIE runs from the tree

    def words(self) -> List[str]:
        """The same as arguments of the program."""
        flags = {"--record": self.record, "--force": self.force, "--allow-running": self.allow_running}
        named = ["--root", self.root] if self.root else []
        return named + [name for name, wanted in flags.items() if wanted]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--package", required=True, metavar="FILE", help="the overlay, as lingctl packs it")
    parser.add_argument("--root", metavar="DIR", help="the atb_llm package; looked for if not given")
    parser.add_argument("--record", action="store_true", help="print the digests of the stock files")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--allow-running", action="store_true")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Do the action; its answer is the result."""
    package = read_package(arguments.package)
    options = TreeOptions(**{field.name: getattr(arguments, field.name) for field in fields(TreeOptions)})
    return act(arguments.action, options, package)


def act(action: str, options: TreeOptions, package: Package) -> Dict[str, object]:
    """One action on one tree. Raises Trouble: it cannot be done."""
    found = [options.root] if options.root else find_root()
    tree = Tree(found[0])
    store = Store(tree)
    shipped = {"version": package.version, "digest": package.digest}
    result: Dict[str, object] = {"action": action, "shipped": shipped, "also": found[1:]}
    return {**result, **_do(action, options, tree, package, store)}


def _do(action: str, options: TreeOptions, tree: Tree, package: Package, store: Store) -> Dict[str, object]:
    if action == "apply":
        return change.apply(tree, package, store, allow_running=options.allow_running)
    if action == "revert":
        return change.revert(tree, package, store, force=options.force, allow_running=options.allow_running)
    if action == "verify":
        return verify(tree, package, store)
    answer: Dict[str, object] = {"after": asdict(look(tree, package, store))}
    if action == "diff":
        answer["changes"] = overlay_difference(tree, package)
    if options.record:
        answer["record"] = {path: tree.digest(path) for path in package.watched}
    return answer
