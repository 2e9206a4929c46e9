"""The receipt in the output folder: of which source it was made, and which shards are proved complete."""

from __future__ import annotations

import json
import os
from typing import Dict, NamedTuple, Optional

from lingctl.node.files import write_whole

RECEIPT = ".lingctl-convert.json"
_VERSION = 1
_LARGEST = 4_000_000


class Receipt(NamedTuple):
    """What an earlier run wrote down.

    Attributes:
        source: fingerprint of the input.
        plan: digest of the input and the layout of the output.
        shards: state (size and time of change) of each complete shard, by name.
    """

    source: str
    plan: str
    shards: Dict[str, str]


def shard_state(path: str) -> str:
    """Changes when somebody writes to the file."""
    found = os.stat(path)
    return f"{found.st_size} {found.st_mtime_ns}"


def read_receipt(folder: str) -> Optional[Receipt]:
    """The receipt in ``folder``; None where there is none or it cannot be read as one."""
    path = os.path.join(folder, RECEIPT)
    try:
        if os.path.getsize(path) > _LARGEST:
            return None
        with open(path, "rb") as file:
            content = json.loads(file.read())
        if content["version"] != _VERSION:
            return None
        shards = {str(name): str(state) for name, state in content["shards"].items()}
        return Receipt(str(content["source"]), str(content["plan"]), shards)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write_receipt(folder: str, receipt: Receipt) -> None:
    """Put the receipt on disk, whole."""
    content = {
        "version": _VERSION,
        "source": receipt.source,
        "plan": receipt.plan,
        "shards": dict(receipt.shards),
    }
    write_whole(os.path.join(folder, RECEIPT), (json.dumps(content, indent=1) + "\n").encode())
