"""Asking the requests of a batch: so many at a time, each again where that may help, until all are done."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lingctl.serving.batch.answer import BatchAnswer, judged, usage_of
from lingctl.serving.batch.requests import BatchRequest
from lingctl.serving.batch.retries import Retries, ends_all
from lingctl.serving.faults import fault_of
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.trouble import ExchangeTrouble

_TICK_SECONDS = 0.5
_LEAST_IN_A_ROW = 8


@dataclass(slots=True)
class BatchCounts:
    """How far it is. Written by the workers, one at a time."""

    answered: int = 0
    refused: int = 0
    failed: int = 0
    retries: int = 0  # requests that were sent once more
    prompt_tokens: int = 0  # as the service counts them
    output_tokens: int = 0
    uncounted: int = 0  # answers whose tokens the service did not count
    in_a_row: int = 0  # failures since the last answer
    # by status or kind of trouble: how many requests, the first's custom_id, the service's words
    troubles: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Requests that came to an end, of whatever kind."""
        return self.answered + self.refused + self.failed

    def note(self, answer: BatchAnswer) -> None:
        """One more came to an end."""
        setattr(self, answer.outcome, getattr(self, answer.outcome) + 1)
        self.in_a_row = self.in_a_row + 1 if answer.outcome == "failed" else 0
        if answer.trouble:
            kind = f"HTTP {answer.trouble.status}" if answer.trouble.status else answer.trouble.kind
            count, name, text = self.troubles.get(kind, (0, answer.custom_id, answer.trouble.text))
            self.troubles[kind] = (count + 1, name, text)
        elif answer.usage:
            self.prompt_tokens += answer.usage.prompt or 0
            self.output_tokens += answer.usage.completion
        else:
            self.uncounted += 1


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why no more requests are asked: the others would fare no better."""

    trouble: ExchangeTrouble
    custom_id: str  # of the last request
    in_a_row: int = 0  # how many failed one after the other; 0 where one was enough


@dataclass(slots=True)
class Asking:
    """Asks requests, ``concurrency`` at a time."""

    client: Client  # the service; its limits are those of one request
    requests: Iterator[BatchRequest]  # what is asked, in this order
    concurrency: int
    retries: Retries
    # told every request that came to an end, one at a time; False where that does not count. What it raises
    # ends all
    keep: Callable[[BatchAnswer], bool]
    counts: BatchCounts = field(default_factory=BatchCounts)
    given_up: GivenUp | None = None
    _taking: threading.Lock = field(default_factory=threading.Lock)
    _keeping: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None
    _not_before: float = 0.0
    _chance: random.Random = field(default_factory=random.Random)

    def run(self, tick: Callable[[BatchCounts], None]) -> None:
        """Until all requests came to an end, or it was given up; ``tick`` is called now and then.

        Raises:
            Exception: what ``keep`` or the requests raised.
        """
        workers = [
            threading.Thread(target=self._work, name=f"lingctl-batch-{number}", daemon=True)
            for number in range(self.concurrency)
        ]
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                while worker.is_alive():
                    worker.join(_TICK_SECONDS)
                    tick(self.counts)
        finally:
            # After Ctrl-C nobody waits for answers that are still to come; what has come is kept whole.
            self._ended.set()
            with self._keeping:
                self.keep = _nobody
        if self._error:
            raise self._error

    def _work(self) -> None:
        try:
            while not self._ended.is_set() and (request := self._next()) is not None:
                answer = self._answer(request)
                if answer is not None:
                    self._note(answer)
        except BaseException as error:  # told by the main thread
            self._error = self._error or error
            self._ended.set()

    def _next(self) -> BatchRequest | None:
        with self._taking:
            return next(self.requests, None)

    def _note(self, answer: BatchAnswer) -> None:
        with self._keeping:
            if not self.keep(answer):
                return
            self.counts.note(answer)
            enough = max(_LEAST_IN_A_ROW, self.concurrency)
            if answer.trouble and self.counts.in_a_row >= enough:
                self._give_up(GivenUp(answer.trouble, answer.custom_id, self.counts.in_a_row))

    def _give_up(self, why: GivenUp) -> None:
        self.given_up = self.given_up or why
        self._ended.set()

    def _answer(self, request: BatchRequest) -> BatchAnswer | None:
        """What came of a request in the end; None where all were given up meanwhile."""
        tried = answered = 0
        while self._may_go_on():
            answer = self.client.post(request.url, request.body)
            tried += 1
            response, trouble = judged(answer)
            if trouble is None:
                return BatchAnswer(
                    request.number, request.custom_id, request.answer_id, response, None, usage_of(response)
                )
            headers = answer.headers if isinstance(answer, HttpResponse) else {}
            if fault_of(trouble) == "busy" and self.counts.answered > answered:
                # It answers others: this one waits for its turn, however long that takes.
                tried, answered = 1, self.counts.answered
            wait = self.retries.wait(trouble, headers, tried, self._chance)
            if ends_all(trouble) and (wait is None or not trouble.no_service):
                self._give_up(GivenUp(trouble, request.custom_id))
                return None
            if wait is None:
                return BatchAnswer(request.number, request.custom_id, request.answer_id, response, trouble)
            self.counts.retries += 1
            if "retry-after" in headers or trouble.no_service:
                # It is the service that wants to be left alone, or is not there: for all requests.
                self._not_before = max(self._not_before, time.monotonic() + wait)
            elif self._ended.wait(wait):
                return None
        return None

    def _may_go_on(self) -> bool:
        """Wait until the service may be asked; False where nothing is to be asked any more."""
        while (left := self._not_before - time.monotonic()) > 0:
            if self._ended.wait(left):
                return False
        return not self._ended.is_set()


def _nobody(answer: BatchAnswer) -> bool:
    """What still comes after the end is asked again."""
    return False
