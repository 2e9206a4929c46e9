"""The health checker of 3.0.0: what live and ready say from the start to the end.

Seen on the real 3.0.0: 500 for one interval of 5 s after the start, then 200; 503 without a body once the
daemon has been told to end or a worker has died. Read in its source: the busy answers. A node that is lost
changes nothing. 1.0.0 is healthy from the start; no document says otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

INTERVAL_SECONDS = 5.0
# Long enough to be seen where time runs fast.
_LEAST_SECONDS = 0.5


class Health:
    """The state of one service.

    Args:
        interval: seconds of the first state, 0 for none.
        on_normal: called when that is over.
    """

    def __init__(self, interval: float = 0.0, on_normal: Callable[[], None] = lambda: None) -> None:
        self._ready_at = time.monotonic() + interval
        self._ended = threading.Event()
        if interval:
            self._timer = threading.Timer(interval, self._turn, (on_normal,))
            self._timer.daemon = True
            self._timer.start()

    def _turn(self, on_normal: Callable[[], None]) -> None:
        if not self._ended.is_set():
            on_normal()

    @property
    def starting(self) -> bool:
        """Whether the first interval is not over."""
        return not self._ended.is_set() and time.monotonic() < self._ready_at

    @property
    def abnormal(self) -> bool:
        """Whether the daemon ends, or has lost its worker."""
        return self._ended.is_set()

    def turn_abnormal(self) -> None:
        """It does not become normal again."""
        self._ended.set()


def first_interval(scale: float) -> float:
    """Seconds that a service is "abnormal" after it has started."""
    return max(_LEAST_SECONDS, INTERVAL_SECONDS * scale)
