"""weights inspect|verify|manifest|modes DIR: what a folder of weights is, and who may read it."""

from __future__ import annotations

import argparse
from typing import Dict

from lingctl.node.files import system_trouble
from lingctl.node.progress import Report
from lingctl.node.weights.inspect import inspect, inspect_each
from lingctl.node.weights.manifest import make_manifest
from lingctl.node.weights.modes import set_modes
from lingctl.node.weights.verify import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    inspects = actions.add_parser("inspect", help="what it is; quick, reads headers only")
    verifies = actions.add_parser("verify", help="whether it is whole and fits its config.json")
    verifies.add_argument("--full", action="store_true", help="also read every byte")
    manifests = actions.add_parser("manifest", help="SHA-256 of every file, written beside them")
    modes = actions.add_parser("modes", help="set modes and owners as MindIE demands them")
    for action in (inspects, verifies, manifests, modes):
        action.add_argument("folder", metavar="DIR", help="folder of the weights")
        # Also accepted behind the action; see main.py.
        action.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    inspects.add_argument(
        "more", metavar="DIR", nargs="*", help="further folders: each is then answered by an event of its own"
    )
    for action in (inspects, modes):
        action.add_argument("--user", type=int, help="number of the user that runs MindIE (this one)")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Do what was asked; the description is the result. Raises Trouble: it cannot be done."""
    folder = arguments.folder
    try:
        if arguments.action == "inspect" and arguments.more:
            return inspect_each((folder, *arguments.more), arguments.user, report)
        if arguments.action == "inspect":
            return inspect(folder, arguments.user)
        if arguments.action == "verify":
            return verify(folder, arguments.full, report).as_document()
        if arguments.action == "manifest":
            return make_manifest(folder, report)
        return set_modes(folder, arguments.user)
    except OSError as error:
        raise system_trouble(error, folder if not error.filename else "") from error
