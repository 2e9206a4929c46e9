"""One run over a batch's file, whoever answers: what is left, what came, and the two files at the end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from lingctl.errors import ConfigurationError, ConnectError, EngineError, LingctlError, UsageError
from lingctl.events import Event, Listener
from lingctl.flows.run.whole_file import no_room
from lingctl.flows.serve.batch.given import BatchOptions
from lingctl.flows.serve.batch.state import BatchState, answers_in, batch_state, place_of
from lingctl.serving.batch.answer import BatchAnswer
from lingctl.serving.batch.asking import BatchCounts, GivenUp
from lingctl.serving.batch.report import BatchReport
from lingctl.serving.batch.requests import BatchInput, BatchRequest, requests_of

_TASK = "batch"
Keep = Callable[[BatchAnswer], bool]
"""Keeps an answer; False where it was kept before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking."""

    counts: BatchCounts
    given_up: GivenUp | None = None  # why it was not gone on with
    remedy: str = ""  # what to do about that


class Answerer(Protocol):
    """What answers the requests of a batch."""

    @property
    def place(self) -> str:
        """Where it is, for people."""

    @property
    def model(self) -> str:
        """The name that is asked for where a body names none."""

    def answer(
        self, requests: Iterator[BatchRequest], keep: Keep, tick: Callable[[BatchCounts], None]
    ) -> Asked:
        """Ask requests until all came to an end. Raises LingctlError: it cannot go on."""


def run_batch(
    answerer: Answerer, given: BatchInput, options: BatchOptions, override: str, listener: Listener
) -> BatchReport:
    """Ask what is left of a file whose lines were judged.

    Args:
        override: name of a model that is asked whatever the lines name; empty to leave them.

    Raises:
        LingctlError: the input has changed, the files cannot be written, or the service gave out.
    """
    try:
        return _Run(answerer, given, options, override, listener).run()
    except OSError as error:
        if full := no_room(error, options.output):
            raise full from error
        raise UsageError(
            f"cannot be written: {error.strerror or error}",
            where=str(error.filename or options.output),
            code="batch-file",
        ) from error


class _Run:
    """One run over a file whose lines were judged."""

    def __init__(
        self, answerer: Answerer, given: BatchInput, options: BatchOptions, override: str, listener: Listener
    ) -> None:
        self._answerer = answerer
        self._given = given
        self._options = options
        self._override = override
        self._listener = listener
        self._before = 0
        self._began = time.monotonic()

    def run(self) -> BatchReport:
        """To the end. Raises as ``run_batch``, and OSError."""
        output = self._options.output
        if not place_of(output).exists() and output.exists() and (done := self._answered_all()):
            return done
        with batch_state(output, self._given, self._override) as state:
            if output.exists():
                self._take_over(state)
            return self._ask(state)

    def _ask(self, state: BatchState) -> BatchReport:
        self._before = state.count("answered")
        self._tell_begin(state)
        digest = hashlib.sha256()
        with self._options.source.open("rb") as file:
            left = self._left(requests_of(file, digest.update, self._override), state)
            with self._keeping(state):
                asked = self._answerer.answer(
                    left, lambda answer: _keep(state, answer), lambda counts: self._tick(counts, state)
                )
        if asked.given_up:
            raise self._given_out(asked.given_up, asked.remedy, state)
        if digest.hexdigest() != self._given.digest:
            raise ConfigurationError(
                "has changed while it was asked",
                where=str(self._given.path),
                remedy=f"its answers so far are in {place_of(self._options.output)}; put it back as it was",
                code="batch-changed",
            )
        state.sync()
        if open_still := self._given.requests - sum(map(state.count, ("answered", "refused", "failed"))):
            raise EngineError(
                f"{open_still:,} requests came to no end",
                where=self._answerer.place,
                remedy="the same command again asks what is left",
                code="batch-open",
            )
        return self._finish(state, asked.counts)

    def _left(self, requests: Iterator[BatchRequest], state: BatchState) -> Iterator[BatchRequest]:
        """Those that have not come to an end. Raises ConfigurationError: the file has changed."""
        count = 0
        try:
            for count, request in enumerate(requests, 1):
                if count > self._given.requests:
                    break
                if not state.is_done(request.number):
                    yield replace(request, body={"model": self._answerer.model, **request.body})
        except ValueError as error:
            raise ConfigurationError(
                "has changed while it was asked",
                where=str(self._given.path),
                evidence=str(error),
                code="batch-changed",
            ) from error

    @contextmanager
    def _keeping(self, state: BatchState) -> Iterator[None]:
        """Whatever ends it, what has come is on the disk, and it is said where."""
        try:
            yield
        except BaseException:
            state.sync()
            self._listener(Event(_TASK, "note", text=self._kept(state)))
            raise

    def _kept(self, state: BatchState) -> str:
        done = self._given.requests - self._missing(state)
        place = place_of(self._options.output)
        return f"{done:,} of {self._given.requests:,} requests are done and kept in {place}"

    def _missing(self, state: BatchState) -> int:
        return self._given.requests - state.count("answered") - state.count("refused")

    def _tell_begin(self, state: BatchState) -> None:
        requests = self._given.requests
        if state.damaged:
            text = f"{state.damaged:,} lines of an earlier run cannot be read: these are asked again"
            self._listener(Event(_TASK, "note", text=text))
        missing = self._missing(state)
        text = f"{requests:,} requests" if missing == requests else f"{missing:,} of {requests:,} are left"
        self._listener(Event(_TASK, "started", text=text, done=requests - missing, total=requests))

    def _tick(self, counts: BatchCounts, state: BatchState) -> None:
        state.sync()
        requests, missing = self._given.requests, self._missing(state)
        done, seconds = requests - missing, time.monotonic() - self._began
        text = f"{done:,} of {requests:,}"
        if counts.refused + counts.failed:
            text += f", {counts.refused + counts.failed:,} not answered"
        if counts.output_tokens:
            text += f", {counts.output_tokens / seconds:,.0f} tokens/s"
        if counts.done:
            text += f", {_span(missing * seconds / counts.done)} left"
        self._listener(Event(_TASK, "progress", text=text, done=done, total=requests))

    def _finish(self, state: BatchState, counts: BatchCounts) -> BatchReport:
        answered = state.count("answered")
        failed = state.finish(self._options.output, self._options.error_file)
        report = self._report(answered, failed, counts)
        text = f"{report.requests:,} requests, {report.failed:,} not answered"
        self._listener(Event(_TASK, "done" if report.answered else "failed", text=text))
        return report

    def _report(self, answered: int, failed: bool, counts: BatchCounts) -> BatchReport:
        return BatchReport(
            self._answerer.place,
            self._answerer.model,
            self._given.requests,
            self._before,
            answered,
            str(self._options.output),
            str(self._options.error_file) if failed else "",
            time.monotonic() - self._began,
            counts.retries,
            counts.prompt_tokens,
            counts.output_tokens,
            counts.uncounted,
            counts.troubles,
        )

    def _given_out(self, why: GivenUp, advice: str, state: BatchState) -> LingctlError:
        """The error of a service that gives no more answers."""
        kind = ConnectError if why.trouble.no_service else EngineError
        what = "the service does not answer any more"
        if why.in_a_row:
            what = f"{why.in_a_row} requests failed one after the other"
        text = self._kept(state)
        self._listener(Event(_TASK, "failed", text=text))
        return kind(
            what,
            where=self._answerer.place,
            evidence=f"{why.custom_id}: {why.trouble}",
            remedy=f"{advice}\nthen the same command again: it asks what is left ({text})",
            code="batch-given-up",
        )

    def _answered_all(self) -> BatchReport | None:
        """The report of an output that has every answer already; None where some are missing.

        Raises:
            ConfigurationError: it holds answers to other requests.
        """
        found = sum(1 for _ in answers_in(self._options.output, self._options.source, self._override))
        if found < self._given.requests:
            return None
        self._before = found
        self._listener(Event(_TASK, "unchanged", text=f"{found:,} requests are answered already"))
        self._began = time.monotonic()
        return self._report(found, failed=False, counts=BatchCounts())

    def _take_over(self, state: BatchState) -> None:
        for number, line in answers_in(self._options.output, self._options.source, self._override):
            if not state.is_done(number):
                state.take(number, line)


def _keep(state: BatchState, answer: BatchAnswer) -> bool:
    if state.is_done(answer.number):
        return False
    state.keep(answer)
    return True


def _span(seconds: float) -> str:
    """A time for a person: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
