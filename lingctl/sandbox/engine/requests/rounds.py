"""The rounds in which the engine answers, and how long they are waited for."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass

from lingctl.sandbox.engine.model.sampling import Choice
from lingctl.sandbox.engine.requests.errors import ApiError
from lingctl.sandbox.engine.requests.scheduler import EngineLost, Request, StepFailed, Token
from lingctl.sandbox.engine.requests.wish import Wish
from lingctl.sandbox.engine.settings.sections import Section


@dataclass(frozen=True, slots=True)
class Share:
    """What one sequence of a request gets in one round."""

    sequence: int  # its number, from 0
    choice: Choice
    finish: str = ""  # ``eos``, ``length``, ``stop_string`` or ``stop_token`` with its last token
    cut: int = 0  # UTF-16 units to take from the end of its text, because something stopped it


@dataclass(frozen=True, slots=True)
class Round:
    """A token of each sequence that is not at its end."""

    shares: tuple[Share, ...]
    last: bool  # whether all sequences are at their end with it
    micros: int = 0  # microseconds since the request, or since the round before
    batch: int = 1  # sequences in the engine's batch

    @property
    def millis(self) -> int:
        """The same in milliseconds."""
        return self.micros // 1000


class BrokenStream(Exception):
    """The connection is to be closed in the middle of the answer."""


class EngineTimeout(Exception):
    """No token came in time; its text says whose patience ended."""


class TokenTimes:
    """Average times of all requests in milliseconds, as /metrics-json tells them.

    Attributes:
        first: to the first token.
        between: from one token to the next.
    """

    def __init__(self) -> None:
        self.first = self.between = 0
        self._sums, self._counts = [0, 0], [0, 0]

    def note(self, millis: int, *, first: bool) -> None:
        """A round has come after so long."""
        place = 0 if first else 1
        self._sums[place] += millis
        self._counts[place] += 1
        average = self._sums[place] // self._counts[place]
        if first:
            self.first = average
        else:
            self.between = average


class Clock:
    """Waits for tokens with the patience of client and server.

    Args:
        wish: names the client's.
        server: the section of the configuration with the server's.
    """

    def __init__(self, wish: Wish, server: Section) -> None:
        self._start = time.monotonic()
        self._streamed = wish.stream
        self._limits = (
            (float(wish.timeout), "client timeout"),
            (float(server.get("tokenTimeout", 600)), "server tokenTimeout"),
        )
        self._whole = self._start + float(server.get("e2eTimeout", 600))

    def next(self, request: Request) -> Token:
        """The next token.

        Raises:
            EngineTimeout: it does not come in time.
            BrokenStream: the engine is gone.
            ApiError: the engine failed on this sequence.
        """
        now = time.monotonic()
        begin = now if self._streamed else self._start
        deadline, whose = min((begin + seconds, whose) for seconds, whose in self._limits)
        if self._whole < deadline:
            deadline, whose = self._whole, "server e2eTimeout"
        try:
            item = request.out.get(timeout=max(0.0, deadline - now))
        except queue.Empty:
            raise EngineTimeout(whose) from None
        if isinstance(item, (EngineLost, StepFailed)):
            raise ApiError(500, "Failed to get engine response.")
        return item
