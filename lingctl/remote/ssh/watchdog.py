"""Deadlines for calls that cannot be given one: when time is up, an action frees the caller.

Several of paramiko's calls wait for ever on a frozen peer whatever time limit they are given. Closing the
socket from another thread ends every one of them at once (measured with paramiko 5.1).
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """One thread that runs actions whose time has come."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._deadlines: list[tuple[float, int]] = []
        self._actions: dict[int, Callable[[], None]] = {}  # of the blocks that still run, by number
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def guard(self, seconds: float, action: Callable[[], None]) -> Iterator[None]:
        """Run ``action`` in another thread if the block takes longer than ``seconds``."""
        number = self._add(seconds, action)
        try:
            yield
        finally:
            with self._wake:
                self._actions.pop(number, None)
                self._wake.notify()

    def _add(self, seconds: float, action: Callable[[], None]) -> int:
        with self._wake:
            number = next(self._numbers)
            self._actions[number] = action
            heapq.heappush(self._deadlines, (time.monotonic() + seconds, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="lingctl-watchdog", daemon=True)
                self._thread.start()
            self._wake.notify()
            return number

    def _watch(self) -> None:
        while True:
            with self._wake:
                while self._deadlines and self._deadlines[0][1] not in self._actions:
                    heapq.heappop(self._deadlines)
                pause = self._deadlines[0][0] - time.monotonic() if self._deadlines else None
                if pause is None or pause > 0:
                    self._wake.wait(pause)
                    continue
                action = self._actions.pop(heapq.heappop(self._deadlines)[1])
            action()
