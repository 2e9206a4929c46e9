"""weights inspect|verify|manifest|modes DIR: what a folder of weights is, and who may read it."""

from __future__ import annotations

import argparse
import os
from typing import Dict, List, Mapping, Optional, Sequence

from lingctl.node.files import system_trouble
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.inspect import inspect
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
    several = "folder of the weights; of more than one, each is described by itself"
    inspects.add_argument("folders", metavar="DIR", nargs="+", help=several)
    for action in (verifies, manifests, modes):
        action.add_argument("folder", metavar="DIR", help="folder of the weights")
    for action in (inspects, verifies, manifests, modes):
        # Also accepted behind the action; see main.py.
        action.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    for action in (inspects, modes):
        action.add_argument("--user", type=int, help="number of the user that runs MindIE (this one)")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Do what was asked; the description is the result. Raises Trouble: it cannot be done."""
    if arguments.action == "inspect":
        return _inspect(arguments.folders, arguments.user)
    folder = arguments.folder
    try:
        if arguments.action == "verify":
            return verify(folder, arguments.full, report).as_document()
        if arguments.action == "manifest":
            return make_manifest(folder, report)
        return set_modes(folder, arguments.user)
    except OSError as error:
        raise system_trouble(error, folder if not error.filename else "") from error


def _inspect(folders: Sequence[str], user: Optional[int]) -> Dict[str, object]:
    """Of one folder its description; of several ``folders``: of each, as they were named, the event that it
    would have had alone. A start costs more than a look."""
    if len(folders) > 1:
        return {"folders": _each(folders, user)}
    try:
        return inspect(folders[0], user)
    except OSError as error:
        raise system_trouble(error, folders[0] if not error.filename else "") from error


def _each(folders: Sequence[str], user: Optional[int]) -> List[Mapping[str, object]]:
    told: List[Mapping[str, object]] = []
    for folder in folders:
        try:
            told.append({"event": "result", **_inspect([folder], user)})
        except Trouble as trouble:
            told.append(trouble.as_event())
        except Exception as error:
            if os.environ.get("LINGCTL_DEBUG"):
                raise
            told.append(Trouble.of_defect(error).as_event())
    return told
