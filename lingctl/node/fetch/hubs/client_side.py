"""What both hub clients share: their course, what they trust, the bounds of a list, and the events.

The two are the only modules in ``lingctl.node`` that use a library: nothing imports them, and each runs as a
process of its own where its library is. Standard input holds one request; standard output gets JSON lines.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Mapping, Protocol

from lingctl.node.fetch.hubs.answers_seen import SeenAnswers
from lingctl.node.fetch.hubs.causes import event_of
from lingctl.node.fetch.hubs.trust import trust
from lingctl.node.progress import say

# The longest honest lists take 200 MB; one without an end must not take the machine's memory.
_LIST_MEMORY = 1 << 30
_FILES_AT_ONCE = 4

Plain = Mapping[str, Any]


class HubLibrary(Protocol):
    """One hub's library for one request. It raises whatever the library does."""

    def listing(self) -> List[Dict[str, object]]:
        """Path, size and digest of every file."""

    def fetch(self, file: Plain) -> None:
        """Bring one file into the folder of the request."""


def read_request() -> Dict[str, Any]:
    """The one line on standard input. When the parent ends, its end of that closes, and so do we."""
    request = json.loads(sys.stdin.buffer.readline())
    assert isinstance(request, dict)

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    return request


def serve(request: Plain, open_hub: Callable[[Plain, SeenAnswers], HubLibrary]) -> int:
    """List or fetch, as the first argument says; the exit status is 0 when all went well.

    Args:
        open_hub: imports the library, has its answers watched from then on, and connects.
    """
    seen = SeenAnswers()
    is_list = sys.argv[1] == "list"
    try:
        trust(str(request["trust"]), str(request["ca"]))
        if is_list:
            resource.setrlimit(resource.RLIMIT_DATA, (_LIST_MEMORY, _LIST_MEMORY))
        hub = open_hub(request, seen)
        if is_list:
            say({"event": "files", "files": hub.listing()})
            return 0
    except Exception as error:  # Whatever the library raises is told to the parent.
        say(event_of(error, seen, request))
        return 1

    def fetch(file: Plain) -> bool:
        try:
            hub.fetch(file)
        except Exception as error:  # As above; the other files go on.
            # ModelScope's tells of many files in one; here it is one.
            inner = next(iter(getattr(error, "failed_files", {}).values()), error)
            say(event_of(inner, seen, request, file["path"]))
            return False
        say({"event": "arrived", "path": file["path"]})
        return True

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return 0 if all(list(pool.map(fetch, request["files"]))) else 1


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
