"""A download that outlives the connection it was started over: started, followed, and ended by name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Dict, List, Mapping, Optional

from lingctl.node.convert.meter import Report
from lingctl.node.fetch.hub import log_tail
from lingctl.node.fetch.place import Place
from lingctl.node.files import write_whole
from lingctl.node.trouble import Trouble

_STATUS = "status.json"
_START_SECONDS = 20.0
_ENDS = ("result", "error")


class StatusFile:
    """Where the background program says what it does; whoever follows reads it."""

    def __init__(self, place: Place) -> None:
        self._path = place.inside(_STATUS)
        self._written = 0.0

    def write(self, event: Mapping[str, object]) -> None:
        """Keep an event; progress at most once a second."""
        now = time.monotonic()
        if event.get("event") == "files" or (event.get("event") == "progress" and now - self._written < 1):
            return
        self._written = now
        write_whole(self._path, json.dumps({"pid": os.getpid(), **event}).encode())

    def read(self) -> Dict[str, object]:
        """The last event; empty when there is none."""
        try:
            with open(self._path, "rb") as file:
                event = json.load(file)
        except (FileNotFoundError, ValueError):
            return {}
        return event if isinstance(event, dict) else {}

    def forget(self) -> None:
        """Remove what an earlier run said."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def start(folder: str, *words: str) -> bool:
    """Run ``fetch <words>`` for the folder in a session of its own; false when one is at it already.

    Raises:
        Trouble: it did not come up.
    """
    place = Place(folder)
    place.make()
    if place.holder() is not None:
        return False
    status = StatusFile(place)
    status.forget()
    program = [sys.executable, *_self(), "fetch", *words, place.folder]
    with open(place.inside("log"), "ab") as log, open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(
            program, stdin=nothing, stdout=log, stderr=log, start_new_session=True, close_fds=True
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if status.read():
            return True
        if process.poll() is not None and not status.read():
            raise Trouble(
                "the download ended as soon as it began",
                where=place.folder,
                evidence=log_tail(place),
                code="download-died",
            )
        time.sleep(0.05)
    raise Trouble("the download does not come up", where=place.folder, code="download-died")


def follow(folder: str, report: Report, *, seconds: Optional[float] = None) -> Dict[str, object]:
    """Tell what the background download does until it ends; its result.

    Args:
        folder: that it fills.
        report: gets its events.
        seconds: stop following after so long; the result then says that it is running.

    Raises:
        Trouble: it failed, or died.
    """
    place = Place(folder)
    last: Dict[str, object] = {}
    status = StatusFile(place)
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        alive = place.holder() is not None
        event = status.read()
        if event.get("event") in _ENDS:
            return _end(event)
        if event != last and event:
            report({name: value for name, value in event.items() if name != "pid"})
            last = event
        if not alive:
            # It may have written its last word between our two looks.
            event = status.read()
            if event.get("event") in _ENDS:
                return _end(event)
            raise Trouble(
                "no download runs here" if not event else "the download died",
                where=place.folder,
                evidence=log_tail(place),
                remedy="run the same command again: it goes on where it stopped",
                code="download-died",
            )
        if deadline is not None and time.monotonic() > deadline:
            return {"running": True, **last}
        time.sleep(0.3)


def stop(folder: str) -> bool:
    """End the background download; false when none runs. What has arrived is kept."""
    place = Place(folder)
    holder = place.holder()
    if holder is None or holder <= 0:
        return False
    os.kill(holder, signal.SIGTERM)
    for _ in range(100):
        if place.holder() is None:
            return True
        time.sleep(0.1)
    os.kill(holder, signal.SIGKILL)
    return True


def _end(event: Mapping[str, object]) -> Dict[str, object]:
    if event["event"] == "result":
        return {name: value for name, value in event.items() if name not in ("event", "pid")}
    said = {name: str(event.get(name, "")) for name in ("what", "where", "evidence", "remedy", "code")}
    raise Trouble(
        said["what"],
        where=said["where"],
        evidence=said["evidence"],
        remedy=said["remedy"],
        code=said["code"],
    )


def _self() -> List[str]:
    """How this program is run again: the archive, or the module in a checkout."""
    archive = sys.argv[0]
    return [archive] if archive.endswith(".pyz") else ["-m", "lingctl.node"]
