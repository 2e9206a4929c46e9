"""What both hub clients share: the request, the events, and errors in words that the parent knows."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from typing import Any, Dict, Mapping

_say_lock = threading.Lock()


def read_request() -> Dict[str, Any]:
    """The one line on standard input."""
    request = json.loads(sys.stdin.buffer.readline())
    assert isinstance(request, dict)
    return request


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


# Names of the libraries' own exceptions, first match wins: (name, code, whether another try may help).
_KNOWN = (
    ("FileSizeMismatchError", "wrong-bytes", True),
    ("FileIntegrityError", "wrong-bytes", True),
    ("AuthenticationError", "hub-refused", False),
    ("PermissionDeniedError", "hub-refused", False),
    ("GatedRepoError", "hub-refused", False),
    ("LocalEntryNotFoundError", "hub-unreachable", True),
    ("NotExistError", "hub-not-found", False),
    ("RepositoryNotFoundError", "hub-not-found", False),
    ("RevisionNotFoundError", "hub-not-found", False),
    ("EntryNotFoundError", "hub-not-found", False),
    ("RateLimitError", "hub-busy", True),
    ("ServerError", "hub-server-error", True),
    ("_DownloadTooSlowError", "hub-too-slow", True),
    ("NetworkError", "hub-unreachable", True),
    ("RequestTimeoutError", "hub-unreachable", True),
    ("OfflineModeIsEnabled", "hub-unreachable", False),
    ("ImportError", "client-missing", False),
)
_BY_STATUS = {401: "hub-refused", 403: "hub-refused", 404: "hub-not-found", 429: "hub-busy"}


def classify(error: BaseException) -> Dict[str, object]:
    """An exception of a hub library as ``code``, ``what`` and ``again``."""
    said = str(error) or type(error).__name__
    return {"what": said[:800], **_verdict(error)}


def _verdict(error: BaseException) -> Dict[str, object]:
    chain = [error]
    while chain[-1].__cause__ is not None and len(chain) < 8:
        chain.append(chain[-1].__cause__)
    for one in chain:
        if isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"code": "disk-full", "again": False}
    for status in map(_status, chain):
        if status in _BY_STATUS:
            return {"code": _BY_STATUS[status], "again": status == 429}
        if status >= 500:
            return {"code": "hub-server-error", "again": True}
    for one in chain:
        names = {base.__name__ for base in type(one).__mro__}
        for name, code, again in _KNOWN:
            if name in names:
                return {"code": code, "again": again}
        if names & {"ConnectionError", "TransportError", "Timeout", "TimeoutError"}:
            return {"code": "hub-unreachable", "again": True}
    return {"code": "hub-error", "again": False}


def _status(error: BaseException) -> int:
    status = getattr(error, "status_code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    return status if isinstance(status, int) else 0
