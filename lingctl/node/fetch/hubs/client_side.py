"""What both hub clients share: the request, what they trust, the bounds of a list, and the events."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from typing import Any, Dict, Mapping

from lingctl.node.fetch.hubs.trust import trust

_say_lock = threading.Lock()
# The longest honest lists take 200 MB; one without an end must not take the machine's memory.
_LIST_MEMORY = 1 << 30


def read_request() -> Dict[str, Any]:
    """The one line on standard input."""
    request = json.loads(sys.stdin.buffer.readline())
    assert isinstance(request, dict)
    return request


def prepare(verb: str, request: Mapping[str, Any]) -> None:
    """What has to stand before a hub's library is imported: whom it trusts, and how much a list may take.

    Raises:
        Trouble: a variable names a file of authorities that cannot be read.
    """
    trust(str(request["trust"]), str(request["ca"]))
    if verb == "list":
        resource.setrlimit(resource.RLIMIT_DATA, (_LIST_MEMORY, _LIST_MEMORY))


def end_with_parent() -> None:
    """End this process as soon as the parent has: its end of our standard input closes then."""

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def say(event: Mapping[str, object]) -> None:
    """One event, one line."""
    with _say_lock:
        sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")
        sys.stdout.flush()


class Counter:
    """Counts the bytes of one file; has the shape of ModelScope's ``ProgressCallback``."""

    def __init__(self, filename: str, file_size: int) -> None:
        self._path = filename
        self._done = 0
        self._told = 0.0
        self._lock = threading.Lock()

    def update(self, size: int) -> None:
        """``size`` more bytes are here."""
        with self._lock:
            self._done += size
            now = time.monotonic()
            if now - self._told < 0.2:
                return
            self._told = now
            done = self._done
        say({"event": "progress", "path": self._path, "done": done})

    def end(self) -> None:
        """All of it is here, or it failed."""
        say({"event": "progress", "path": self._path, "done": self._done})
