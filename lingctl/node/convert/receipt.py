"""The receipt in the output folder: of which source it was made, and which shards are proved complete."""

from __future__ import annotations

import json
import os
import threading
from typing import Dict, Mapping, NamedTuple, Optional

from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.files import file_state, read_json, write_whole
from lingctl.node.trouble import Trouble

_VERSION = 1
_LARGEST = 1_200_000
_UNREAD = "not-read-back"


class Receipt(NamedTuple):
    """What an earlier run wrote down."""

    source: str  # fingerprint of the input
    plan: str  # digest of the input and the layout of the output
    shards: Dict[str, str]  # state of each complete shard, by name; see ``shard_state``


class Ledger:
    """Keeps the receipt on disk in step with the work. Safe to call from many threads."""

    def __init__(self, folder: str, receipt: Receipt) -> None:
        self._path = os.path.join(folder, RECEIPT)
        self._receipt = receipt
        self._lock = threading.Lock()

    def note(self, shards: Mapping[str, str]) -> None:
        """Some more shards are complete; their states. A power failure may take the receipt: shards are then
        compared with the source."""
        with self._lock:
            self._receipt.shards.update(shards)
            content = {"version": _VERSION, **self._receipt._asdict()}
            write_whole(self._path, (json.dumps(content, indent=1) + "\n").encode(), sync=False)


def shard_state(path: str, verified: bool = True) -> str:
    """Changes when somebody writes to the file; says so when it was never read back."""
    state = file_state(os.stat(path))
    return state if verified else f"{state} {_UNREAD}"


def is_proved(noted: str, path: str, verify: bool) -> bool:
    """Whether the receipt's note still holds, and was made by as strict a run as this one."""
    state = shard_state(path)
    return noted == state or (not verify and noted == f"{state} {_UNREAD}")


def read_receipt(folder: str) -> Optional[Receipt]:
    """The receipt in ``folder``; None where there is none or it cannot be read as one."""
    path = os.path.join(folder, RECEIPT)
    try:
        content = read_json(path, _LARGEST)
        if content["version"] != _VERSION:
            return None
        shards = {str(name): str(state) for name, state in content["shards"].items()}
        return Receipt(str(content["source"]), str(content["plan"]), shards)
    except (OSError, Trouble, ValueError, KeyError, TypeError, AttributeError):
        return None
