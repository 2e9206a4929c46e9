"""The tokenizer processes, as far as requests see them.

Each takes one text at a time. One that does not end in time stays in use, and with all in use every request
is refused at once, while health says 200 (seen on the real 3.0.0; MindIE-LLM v3.0.0
src/server/tokenizer/infer_tokenizer.cpp).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterator

from lingctl.sandbox.engine.machine.site import this_site
from lingctl.sandbox.engine.requests.errors import invalid

# The real one gave up on 8 MiB; where between that and 18,000 tokens the border lies is not known.
_NEVER_DONE_BYTES = 4 * 1024 * 1024
_TRIES = 2


class TokenizerPool:
    """The processes of one service.

    Args:
        count: tokenizerProcessNumber.
    """

    def __init__(self, count: int) -> None:
        self._free = deque(range(count))
        self._stuck: set[int] = set()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def process(self, size: int) -> Iterator[None]:
        """Hold a process for a text of so many bytes.

        Raises:
            ApiError: none is to be had, or the text takes too long.
        """
        number = self._take()
        try:
            if size > _NEVER_DONE_BYTES:
                self._stuck.add(number)
                time.sleep(_timeout() * this_site().time_scale)
                raise invalid("Tokenizer encode wait sub process timeout.")
            yield
        finally:
            self._give_back(number)

    def _take(self) -> int:
        for _ in range(_TRIES):
            with self._changed:
                self._changed.wait_for(lambda: self._free)
                number = self._free.popleft()
            if number not in self._stuck:
                return number
            self._give_back(number)
        raise invalid("Cannot find available tokenizer.")

    def _give_back(self, number: int) -> None:
        with self._changed:
            self._free.append(number)
            self._changed.notify_all()


def _timeout() -> float:
    """Seconds that a text may take."""
    try:
        wanted = int(os.environ.get("TOKENIZER_ENCODE_TIMEOUT", "60"))
    except ValueError:
        return 60.0
    return float(min(max(wanted, 5), 300))
