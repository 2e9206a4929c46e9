"""Programs that outlive the connection they were started over: started, followed, and ended by name."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import traceback
from typing import BinaryIO, Callable, Dict, Mapping, NoReturn, Optional

from lingctl.node.fetch.place import UNTOLD, Place
from lingctl.node.files import open_log, read_json, write_whole
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble

_STATUS = "status.json"
_START_SECONDS = 20.0
_PAUSE, _MOMENT = 0.3, 0.02
# So long it may take to write down what it has; then it is killed, and may take as long again to be gone.
_STOP_SECONDS = 10.0
_ENDS = ("result", "error")


class StatusFile:
    """Where the background program says what it does; whoever follows reads it."""

    def __init__(self, place: Place) -> None:
        self._path = place.inside(_STATUS)
        self._written = 0.0

    def write(self, event: Mapping[str, object]) -> None:
        """Keep an event; progress at most once a second."""
        now = time.monotonic()
        if event.get("event") == "progress" and now - self._written < 1:
            return
        self._written = now
        write_whole(self._path, json.dumps(event).encode())

    def read(self) -> Dict[str, object]:
        """The last event; empty when there is none."""
        try:
            event = read_json(self._path)
        except (FileNotFoundError, Trouble, ValueError):
            return {}
        return event if isinstance(event, dict) else {}

    def forget(self) -> None:
        """Remove what an earlier run said."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


class Child:
    """A program that was begun here and lives on when this one ends.

    Attributes:
        pid: its number.
    """

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it has ended; waits so long for it to."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])


def begin(place: Place, work: Callable[[], object]) -> Child:
    """Do ``work`` in a process and a session of its own, words to the log.

    A copy of this process, which has read all it needs: a new Python would first have to start.
    """
    with open_log(place.inside("log")) as log:
        # Its writing end stays open in the new process alone: who reads hears of its end, however it ends.
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            _work_apart(log, work)
        os.close(writing)
    return Child(pid, reading)


def _work_apart(log: BinaryIO, work: Callable[[], object]) -> NoReturn:
    status = 1
    try:
        # A session of its own gets no hang-up when the SSH connection ends.
        os.setsid()
        with open(os.devnull, "rb") as nothing:
            for descriptor, stream in enumerate((nothing, log, log)):
                os.dup2(stream.fileno(), descriptor)
        work()
        status = 0
    except Trouble as trouble:
        log.write(json.dumps(trouble.as_event()).encode() + b"\n")
    except KeyboardInterrupt:
        log.write(b"stopped\n")
    except BaseException:
        log.write(traceback.format_exc().encode())
    finally:
        # Nothing of what the program that began it still had to do.
        os._exit(status)


def start(place: Place, work: Callable[[], object]) -> Optional[Child]:
    """Begin to fill the folder in the background; None when somebody is at it already.

    Raises:
        Trouble: it did not come up.
    """
    place.make()
    if place.holder() is not None:
        return None
    status = StatusFile(place)
    status.forget()
    child = begin(place, work)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        ended = child.ended(_MOMENT)
        if status.read():
            return child
        if ended:
            break
    raise Trouble(
        "the download ended as soon as it began",
        where=place.folder,
        evidence=place.log_tail(),
        remedy=f"read {place.inside('log')}",
        code="download-died",
    )


def follow(place: Place, report: Report, child: Optional[Child] = None) -> Dict[str, object]:
    """Tell what the background download does until it ends; its result.

    Args:
        place: of the download.
        report: hears of its progress.
        child: the same, where it was begun here: its end is then heard of at once.

    Raises:
        Trouble: it failed, or died.
        BrokenPipeError: nobody listens any more: while a download stands still nothing is written that
            would show it.
    """
    status = StatusFile(place)
    last: Dict[str, object] = {}
    while True:
        # Looked at first: it may write its last word after our look at the status.
        alive = place.holder() is not None
        event = status.read()
        if event.get("event") in _ENDS:
            return _end(event)
        if event and event != last:
            report(event)
            last = event
        if not alive:
            raise Trouble(
                "the download died" if event else "no download runs here",
                where=place.folder,
                evidence=place.log_tail(),
                code="download-died",
            )
        if _reader_is_gone():
            raise BrokenPipeError
        if child:
            child.ended(_PAUSE)
        else:
            time.sleep(_PAUSE)


def stop(place: Place, lock: str = "lock") -> bool:
    """End who has the lock, and wait until it is gone; false when nobody has. What has arrived is kept.

    Raises:
        Trouble: it does not end, not even killed: it waits for a disk that does not answer; or which process
            it is, is not told.
    """
    late = time.monotonic() + _STOP_SECONDS
    while (holder := place.holder(lock)) == UNTOLD:
        if time.monotonic() > late:
            raise Trouble(
                "which program fills this folder is not told there",
                where=place.inside(lock),
                remedy="look who has that file open (fuser), and end it",
                code="download-stuck",
            )
        time.sleep(_MOMENT)
    if holder is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(holder, number)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                # A program lets go of its lock a little before it has ended.
                if place.holder(lock) != holder and not _fills(holder, place.folder):
                    return True
                time.sleep(0.05)
        raise Trouble(
            "the background program does not end, not even killed",
            where=place.folder,
            evidence=f"process {holder}",
            remedy="look at the disk it writes to (dmesg, mount)",
            code="download-stuck",
        )
    return True


def _fills(pid: int, folder: str) -> bool:
    """Whether a process lives and is one of ours for this folder: the number may be another's by now."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return os.fsencode(folder) in words.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _reader_is_gone() -> bool:
    """Whether what is written to standard output reaches nobody any more."""
    looked = select.poll()
    looked.register(1, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in looked.poll(0))


def _end(event: Mapping[str, object]) -> Dict[str, object]:
    if event["event"] == "result":
        return {name: value for name, value in event.items() if name != "event"}
    said = {name: str(event.get(name, "")) for name in ("what", "where", "evidence", "remedy", "code")}
    raise Trouble(**said, exit_status=2 if event.get("exit_status") == 2 else 1)
