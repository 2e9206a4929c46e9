"""fold SRC [DST]: weights whose head is normalised in the file, and no more by whoever computes with it."""

from __future__ import annotations

import argparse
from typing import Dict

from lingctl.node.fold.folder import default_folded, fold
from lingctl.node.progress import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("source", metavar="SRC", help="folder of the weights")
    parser.add_argument("target", metavar="DST", nargs="?", help="output folder (SRC_folded)")
    parser.add_argument("--force", action="store_true", help="overwrite another output")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Fold; the summary is the result."""
    target = arguments.target or default_folded(arguments.source)
    return fold(arguments.source, target, report, force=arguments.force)
