"""convert SRC [DST]: a PyTorch checkpoint to safetensors, in constant memory, without torch."""

from __future__ import annotations

import argparse
import re
from typing import Dict, Optional

from lingctl.node.convert.engine import convert, default_target
from lingctl.node.convert.job import DEFAULT_SHARD, Options
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("source", metavar="SRC", help="folder of the checkpoint, or the file")
    parser.add_argument("target", metavar="DST", nargs="?", help="output folder (SRC_safetensor)")
    parser.add_argument("--max-shard-size", default=str(DEFAULT_SHARD), help="e.g. 5GB")
    parser.add_argument("--layers-per-shard", type=int, help="instead of a size")
    parser.add_argument("--no-verify", action="store_true", help="do not read the output back")
    parser.add_argument("--force", action="store_true", help="overwrite another output")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Convert; the summary is the result."""
    options = make_options(
        arguments.max_shard_size,
        arguments.layers_per_shard,
        verify=not arguments.no_verify,
        force=arguments.force,
    )
    target = arguments.target or default_target(arguments.source)
    return convert(arguments.source, target, options, report)


def make_options(
    max_shard_size: str, layers_per_shard: Optional[int], *, verify: bool, force: bool
) -> Options:
    """Options from what was typed. Raises Trouble: a size or a count that cannot be."""
    if layers_per_shard is not None and layers_per_shard < 1:
        raise Trouble("--layers-per-shard must be at least 1", code="usage", exit_status=2)
    return Options(parse_size(max_shard_size), layers_per_shard, verify, force)


def parse_size(text: str) -> int:
    """Bytes of ``5GB``, ``500M``, ``2GiB`` or ``5000000000``; decimal units unless an ``i`` is in them.

    Raises:
        Trouble: not a size, or smaller than 1 KB.
    """
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE | re.ASCII)
    what, size = "is not a size", 0
    if found and (found.group(2) or not found.group(3)):
        power = " KMGT".index(found.group(2).upper() or " ")
        what, size = "is too small", int(float(found.group(1)) * (1024 if found.group(3) else 1000) ** power)
    if size < 1000:
        what = f"--max-shard-size {text!r} {what}"
        raise Trouble(what, remedy="write e.g. 5GB", code="usage", exit_status=2)
    return size
