"""The serving state of the master, and the life of one answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from lingctl.sandbox.engine.machine.site import Site, this_site
from lingctl.sandbox.engine.model.sampling import Choice
from lingctl.sandbox.engine.model.text import Text
from lingctl.sandbox.engine.requests.errors import ApiError, NotQueued, Unreadable
from lingctl.sandbox.engine.requests.health import Health
from lingctl.sandbox.engine.requests.rounds import (
    BrokenStream,
    Clock,
    EngineTimeout,
    Round,
    Share,
    TokenTimes,
)
from lingctl.sandbox.engine.requests.scheduler import EngineLost, Request, Scheduler, Token
from lingctl.sandbox.engine.requests.stopping import StopRule
from lingctl.sandbox.engine.requests.tokenizers import TokenizerPool
from lingctl.sandbox.engine.requests.wish import Wish
from lingctl.sandbox.engine.settings.server_config import RawConfig
from lingctl.sandbox.engine.words.request_log import FIELD, FORM, PARAMETER, RequestLog

# More than smoke-test allows a first token; less where the sandbox's time runs faster than usual.
_SLOW_SECONDS = 12.0
# Tokens of a stream before a fault breaks it.
_BREAKS_AFTER = 3
_MANAGER = "llm_manager_impl.cpp"


def _no_daemon(lines: Sequence[str]) -> NoReturn:
    """There is no daemon to end."""
    raise RuntimeError("\n".join(lines))


@dataclass
class Service:
    """What the HTTP side works on."""

    raw: RawConfig
    version: str
    text: Text
    scheduler: Scheduler
    position_limit: int
    # addresses of slaves that are gone; of 1.0.0 only, 3.0.0 never fills its list
    lost_nodes: list[str] = field(default_factory=list)
    # set when the engine is stopped, and by /stopService
    stopping: threading.Event = field(default_factory=threading.Event)
    # set by /stopService: what is asked for from then on is refused
    withdrawn: threading.Event = field(default_factory=threading.Event)
    # set to kill a worker, for the fault of that name
    worker_died: threading.Event = field(default_factory=threading.Event)
    health: Health = field(default_factory=Health)  # what the health checker knows
    # writes what each poll of health leaves in the console while the service is abnormal
    say_abnormal: Callable[[], None] = lambda: None
    log: RequestLog = field(default_factory=RequestLog)  # told of each request, as it goes on
    # called with the words of a request that ends the service; it does not come back
    crash: Callable[[Sequence[str]], NoReturn] = _no_daemon
    started: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.tokenizers = TokenizerPool(int(self.raw.backend.get("tokenizerProcessNumber", 8)))
        self.times = TokenTimes()
        self._numbers = itertools.count(1)
        self._open: dict[str, list[Request]] = {}

    @property
    def name(self) -> str:
        """The served model's name."""
        return str(self.raw.model["modelName"])

    @property
    def speaks_vllm(self) -> bool:
        """Whether /v1/chat/completions follows vLLM's rules."""
        return bool(self.raw.server.get("openAiSupport", "vllm") == "vllm")

    @property
    def full_text(self) -> bool:
        """Whether each event of a stream has all the text so far."""
        return bool(self.raw.server.get("fullTextEnabled", False))

    @property
    def request_limit(self) -> int:
        """Most bytes of a body, and most UTF-16 units of a prompt."""
        return int(self.raw.server.get("maxRequestLength", 40)) * 1024 * 1024

    @property
    def input_limit(self) -> int:
        """Most tokens of a prompt by the configuration."""
        inputs, whole = int(self.raw.deploy["maxInputTokenLen"]), int(self.raw.deploy["maxSeqLen"])
        return inputs if inputs < whole else whole - 1

    @property
    def truncated_to(self) -> int | None:
        """Tokens that a prompt is cut to, None where it is not."""
        return self.input_limit if self.raw.deploy.get("truncation") else None

    def next_id(self) -> str:
        """The server's own number for a request."""
        return f"endpoint_common_{next(self._numbers)}"

    def refuse(self, error: ApiError, wish: Wish) -> None:
        """Log a refusal, which comes from another line of the source once the prompt is known."""
        if isinstance(error, NotQueued):
            self.log.not_queued(wish.request_id, error.reason, error.place, error.words)
        elif error.status == 422:
            kind = FORM if isinstance(error, Unreadable) else PARAMETER if wish.tokens else FIELD
            self.log.refused(wish.request_id, error.text, kind, wish.step)
        elif error.status == 404:
            self.log.unknown_model(error.text)

    def stop_request(self, name: str) -> bool:
        """End a request by its name; whether it was there."""
        requests = self._open.get(name, [])
        for request in requests:
            request.cancelled = True
        return bool(requests)

    def wait_idle(self) -> None:
        """Wait until no request is running or waiting."""
        while self.scheduler.running or self.scheduler.waiting:
            time.sleep(0.1)

    def generate(self, wish: Wish) -> Generator[Round]:
        """Hand a request to the engine.

        Returns:
            The rounds of its answer. Taking one may raise EngineTimeout, BrokenStream or ApiError.

        Raises:
            ApiError: the engine does not take it.
        """
        self._check_tokens(wish.tokens)
        if self.stopping.is_set():
            raise NotQueued(500, "Engine has been stopped. Cannot add request.")
        sequence = self.log.queued(wish.request_id)
        longest = int(self.raw.schedule["maxIterTimes"])
        room = int(self.raw.deploy["maxSeqLen"]) - len(wish.tokens)
        limit = max(1, min(wish.limit, longest, room))
        if "daemon-dies-serving" in this_site().faults:
            self.worker_died.set()
        try:
            requests = [
                self.scheduler.submit(wish.tokens, limit, wish.sampling(number), wish.ignore_eos)
                for number in range(wish.count)
            ]
        except EngineLost:
            raise ApiError(500, "Failed to get engine response.") from None
        return self._rounds(wish, requests, sequence)

    def _check_tokens(self, tokens: Sequence[int]) -> None:
        """What the engine refuses (MindIE-LLM v3.0.0 llm_manager_impl.cpp, ProcessReqInputIds)."""
        if not tokens:
            # How the real engine takes a prompt without tokens is not known.
            raise NotQueued(424, "Invalid Input Ids")
        unknown = next((token for token in tokens if token >= self.scheduler.vocabulary), None)
        if unknown is not None:
            words = f"Unexpect Input Id: {unknown}, vocab size: {self.scheduler.vocabulary}"
            raise NotQueued(424, "Invalid Input Ids", f"{_MANAGER}:1529", words)
        length = len(tokens)
        limits = (
            ("maxPositionEmbeddings ", self.position_limit),
            ("", self.input_limit),
            ("maxSeqLen ", int(self.raw.deploy["maxSeqLen"])),
        )
        for name, limit in limits:
            if length > limit:
                model = "This model's maximum input ids length cannot be greater than "
                reason = f"{model}{name}{limit},the input ids length is {length}"
                raise NotQueued(424, reason, f"{_MANAGER}:1473")

    def _rounds(self, wish: Wish, requests: list[Request], sequence: int) -> Generator[Round]:
        site = this_site()
        if wish.stream and "slow-first-token" in site.faults:
            time.sleep(min(_SLOW_SECONDS, 50 * _SLOW_SECONDS * site.time_scale))
        rules = [StopRule(self.text, wish) if wish.stops else None for _ in requests]
        running = dict(enumerate(requests))
        clock = Clock(wish, self.raw.server)
        name = wish.user_id or wish.request_id
        self._open[name] = requests
        before = time.monotonic()
        try:
            for count in itertools.count(1):
                shares = []
                for number, request in list(running.items()):
                    share = _share(number, clock.next(request), rules[number], site)
                    shares.append(share)
                    if share.finish:
                        request.cancelled = True
                        del running[number]
                now = time.monotonic()
                micros, before = int((now - before) * 1e6), now
                self.times.note(micros // 1000, first=count == 1)
                batch = max(1, self.scheduler.running)
                if not running:
                    finish = shares[-1].finish
                    self.log.finished(wish.request_id, sequence, finish, stream=wish.stream)
                yield Round(tuple(shares), not running, micros, batch)
                if not running:
                    return
                if wish.stream and count == _BREAKS_AFTER:
                    _break_stream(site)
        finally:
            self._open.pop(name, None)
            for request in requests:
                request.cancelled = True


def _share(number: int, token: Token, rule: StopRule | None, site: Site) -> Share:
    choice, finish, cut = token.choice, token.finish, 0
    if "wrong-answer" in site.faults and finish != "eos":
        choice = Choice(_wrong(choice.token), choice.logprob, choice.best)
    if rule is not None:
        hit = rule.check(choice.token)
        if hit is not None:
            reason, cut = hit
            # What reaches the limit as well ends by it.
            finish = finish if finish == "length" else reason
    return Share(number, choice, finish, cut)


def _wrong(token: int) -> int:
    """Another ordinary token, the same one each time."""
    return 32 + (token * 7 + 11) % 200


def _break_stream(site: Site) -> None:
    if "stuck-stream" in site.faults:
        time.sleep(3600)
    if "truncated-stream" in site.faults:
        raise BrokenStream
    if "error-in-stream" in site.faults:
        raise EngineTimeout("server tokenTimeout")
