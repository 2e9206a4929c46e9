"""Events of many threads, a line each; progress among them: bytes, rate and time left, now and then."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Callable, Dict, Mapping

Report = Callable[[Mapping[str, object]], None]

_PAUSE = 0.25


_say_lock = threading.Lock()


def say(event: Mapping[str, object]) -> None:
    """Write one event as one line to standard output. Safe to call from many threads."""
    text = json.dumps(event, ensure_ascii=True, separators=(",", ":"))
    with _say_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class Meter:
    """Adds up the bytes of one task and reports them. Safe to call from many threads.

    Attributes:
        part: which part of the task is under way, in words; told where it is not empty.
    """

    def __init__(self, task: str, total: int, report: Report) -> None:
        self.part = ""
        self._task = task
        self._total = total
        self._report = report
        self._done = self._before = 0
        self._begin = 0.0
        self._told = 0.0
        self._lock = threading.Lock()

    def add(self, count: int, *, now_done: bool = True) -> None:
        """``count`` more bytes are done; not ``now_done`` where they were before, which tells of no rate."""
        with self._lock:
            now = time.monotonic()
            self._begin = self._begin or now
            self._done += count
            self._before += 0 if now_done else count
            if self._done < self._total and now - self._told < _PAUSE:
                return
            self._told = now
            # Reported under the lock, so that amounts never seem to fall.
            self._report(self._event(now - self._begin))

    def _event(self, elapsed: float) -> Dict[str, object]:
        event: Dict[str, object] = {
            "event": "progress",
            "task": self._task,
            "done": self._done,
            "total": self._total,
        }
        if self.part:
            event["part"] = self.part
        # The first moments run from the cache and promise too much.
        if elapsed > 1.0 and self._done > self._before:
            rate = (self._done - self._before) / elapsed
            event["rate"] = int(rate)
            event["left"] = round((self._total - self._done) / rate, 1)
        return event
