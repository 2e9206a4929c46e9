"""The serving state of the master, and the life of one answer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lingctl.sandbox.engine.api_requests import ApiError, Wish
from lingctl.sandbox.engine.health import Health
from lingctl.sandbox.engine.scheduler import EngineLost, Scheduler
from lingctl.sandbox.engine.server_config import RawConfig
from lingctl.sandbox.engine.site import Site, this_site
from lingctl.sandbox.engine.text import Growing, NoTemplate, Text

# More than smoke-test allows a first token; less where the sandbox's time runs faster than usual.
_SLOW_SECONDS = 12.0
# Tokens of a stream before a fault breaks it.
_BREAKS_AFTER = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer.

    Attributes:
        text: new text, may be empty.
        tokens: its token ids.
        finish: ``stop`` or ``length`` on the last piece.
    """

    text: str
    tokens: tuple[int, ...] = ()
    finish: str = ""


class BrokenStream(Exception):
    """A fault wants the connection closed in the middle of the answer."""


@dataclass
class Service:
    """What the HTTP side works on.

    Attributes:
        lost_nodes: addresses of slaves that are gone; of 1.0.0 only, 3.0.0 never fills its list.
        worker_died: set to kill a worker, for the fault of that name.
        health: what the health checker knows.
        say_abnormal: writes what each poll of health leaves in the console while the service is abnormal.
        crash: called with the words of a request that ends the service; it does not come back.
    """

    raw: RawConfig
    version: str
    text: Text
    scheduler: Scheduler
    position_limit: int
    lost_nodes: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    worker_died: threading.Event = field(default_factory=threading.Event)
    health: Health = field(default_factory=Health)
    say_abnormal: Callable[[], None] = lambda: None
    crash: Callable[[Sequence[str]], None] = lambda words: None

    @property
    def name(self) -> str:
        """The served model's name."""
        return str(self.raw.model["modelName"])

    def tokens_of(self, wish: Wish) -> list[int]:
        """The prompt's token ids.

        Raises:
            ApiError: 424, the prompt is too long.
        """
        try:
            prompt = self.text.chat(wish.messages) if wish.messages else wish.prompt
        except NoTemplate as error:
            # Which status it has is not documented; 500 is that of a tokenizer process's error.
            raise ApiError(500, "Incomplete Generation", str(error)) from None
        tokens = self.text.encode(prompt) if isinstance(prompt, str) else list(prompt)
        longest = min(self.raw.deploy["maxInputTokenLen"], self.raw.deploy["maxSeqLen"] - 1)
        if len(tokens) > min(longest, self.position_limit):
            text = f"cannot be greater than {longest},the input ids length is {len(tokens)}"
            reason = f"Failed to enqueue inferRequest. This model's maximum input ids length {text}"
            raise ApiError(424, "Generation Error", reason)
        return tokens

    def answer(self, wish: Wish, prompt: Sequence[int]) -> Iterator[Piece]:
        """Generate, piece by piece; the last has its finish reason.

        Raises:
            ApiError: the engine broke or timed out.
            BrokenStream: a fault closes the connection.
        """
        room = self.raw.deploy["maxSeqLen"] - len(prompt)
        limit = min(wish.limit or self.raw.schedule["maxIterTimes"], self.raw.schedule["maxIterTimes"], room)
        site = this_site()
        self._fault_before(site, wish.stream)
        try:
            request = self.scheduler.submit(list(prompt), max(1, limit), wish.sampling, wish.ignore_eos)
        except EngineLost:
            raise ApiError(500, "Incomplete Generation", "Failed to get engine response.") from None
        try:
            yield from _until_stop(self._pieces(request.out, site, wish.stream), wish.stop)
        finally:
            request.cancelled = True

    def _pieces(
        self, out: queue.Queue[int | str | EngineLost], site: Site, streamed: bool
    ) -> Iterator[Piece]:
        growing, count = Growing(self.text), 0
        held: list[int] = []
        timeout = float(self.raw.server.get("tokenTimeout", 600))
        while True:
            try:
                item = out.get(timeout=timeout)
            except queue.Empty:
                raise ApiError(
                    500, "Incomplete Generation", "Engine callback timeout: server tokenTimeout"
                ) from None
            if isinstance(item, EngineLost):
                raise ApiError(500, "Incomplete Generation", "Failed to get engine response.")
            if isinstance(item, str):
                yield Piece("", tuple(held), item)
                return
            token = _wrong(item) if "wrong-answer" in site.faults else item
            held.append(token)
            count += 1
            text = growing.add(token)
            if text:
                yield Piece(text, tuple(held))
                held = []
            if streamed and count == _BREAKS_AFTER:
                _break_stream(site)

    def _fault_before(self, site: Site, streamed: bool) -> None:
        if "daemon-dies-serving" in site.faults:
            self.worker_died.set()
        if streamed and "slow-first-token" in site.faults:
            time.sleep(min(_SLOW_SECONDS, 50 * _SLOW_SECONDS * site.time_scale))


def _wrong(token: int) -> int:
    """Another ordinary token, the same one each time."""
    return 32 + (token * 7 + 11) % 200


def _break_stream(site: Site) -> None:
    if "stuck-stream" in site.faults:
        time.sleep(3600)
    if "truncated-stream" in site.faults:
        raise BrokenStream
    if "error-in-stream" in site.faults:
        raise ApiError(500, "Incomplete Generation", "Engine callback timeout: server tokenTimeout")


def _until_stop(pieces: Iterator[Piece], stops: Sequence[str]) -> Iterator[Piece]:
    """Cut the answer before a stop string; text that may begin one is held back."""
    if not stops:
        yield from pieces
        return
    pending = ""
    tokens: list[int] = []
    for piece in pieces:
        pending += piece.text
        tokens += piece.tokens
        cut = min((at for at in (pending.find(stop) for stop in stops) if at >= 0), default=-1)
        if cut >= 0:
            yield Piece(pending[:cut], tuple(tokens), "stop")
            return
        if piece.finish:
            yield Piece(pending, tuple(tokens), piece.finish)
            return
        safe = len(pending) - _overlap(pending, stops)
        if safe:
            yield Piece(pending[:safe], tuple(tokens))
            pending, tokens = pending[safe:], []


def _overlap(text: str, stops: Sequence[str]) -> int:
    longest = 0
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:length]):
                longest = max(longest, length)
                break
    return longest
