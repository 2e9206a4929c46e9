"""A few threads side by side; the first that fails stops the others."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Callable, Dict, Iterator, List, Sequence, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def threads() -> int:
    """How many copies at once. On two cores two are best (docs/performance.md); large servers have more to
    give, and a service may be running beside."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone tells which cores are ours
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(2, min(8, cores // 4))


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold signals back while threads are started and counted; the threads themselves never get them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkStopped(Exception):
    """Raised in a worker because another one failed or the user interrupted."""


class Workers:
    """Runs work over items in a few threads."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def check(self) -> None:
        """To be called by work every now and then. Raises Stopped: it should end."""
        if self._stop.is_set():
            raise WorkStopped

    def ticking(self, add: Callable[[int], None]) -> Callable[[int], None]:
        """``add``, but raising `WorkStopped` when the work should end."""

        def tick(count: int) -> None:
            self.check()
            add(count)

        return tick

    def each(self, work: Callable[[_T], _R], items: Sequence[_T]) -> List[_R]:
        """Do ``work`` on every item; what it gave, in the order of the items. All threads have ended then.

        Raises:
            BaseException: the first error of any item.
        """
        waiting = list(reversed(list(enumerate(items))))
        given: Dict[int, _R] = {}
        lock = threading.Lock()
        # Thread.join cannot be trusted after Ctrl-C: Python 3.11 then takes a thread that runs for ended.
        ended = threading.Semaphore(0)
        errors: List[BaseException] = []

        def run() -> None:
            try:
                while not self._stop.is_set():
                    with lock:
                        if not waiting:
                            return
                        place, item = waiting.pop()
                    given[place] = work(item)
            except WorkStopped:
                return
            except BaseException as error:
                errors.append(error)
                self._stop.set()
            finally:
                ended.release()

        running = 0
        try:
            with _without_interrupts():
                for _ in range(min(threads(), len(items))):
                    threading.Thread(target=run, daemon=True).start()
                    running += 1
            while running:
                # With a timeout, so that a signal is noticed while waiting.
                running -= ended.acquire(timeout=0.2)
        finally:
            self._stop.set()
            for _ in range(running):
                ended.acquire()
        if errors:
            raise errors[0]
        return [given[place] for place in range(len(items))]
