"""One run over a batch's file, whoever answers: what is left, what came, and the two files at the end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lingctl.errors import ConfigurationError, ConnectError, EngineError, LingctlError, UsageError
from lingctl.events import Event, Listener
from lingctl.flows.run.whole_file import no_room
from lingctl.flows.serve.batch.given import BatchOptions
from lingctl.flows.serve.batch.state import BatchState, answers_in, batch_state, place_of
from lingctl.paths import is_there
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


@dataclass(frozen=True, slots=True)
class Answerer:
    """What answers the requests of a batch."""

    place: str  # where it is, for people
    model: str  # the name that is asked for where a body names none
    # asks requests until all came to an end; raises LingctlError where it cannot go on
    answer: Callable[[Iterator[BatchRequest], Keep, Callable[[BatchCounts], None]], Asked]


def run_batch(
    answerer: Answerer, given: BatchInput, options: BatchOptions, override: str, listener: Listener
) -> BatchReport:
    """Ask what is left of a file whose lines were judged.

    Args:
        override: name of a model that is asked whatever the lines name; empty to leave them.

    Raises:
        LingctlError: the input has changed, the files cannot be written, or the service gave out.
    """
    output = options.output
    try:
        if not is_there(place_of(output)) and is_there(output):
            found = sum(1 for _ in answers_in(output, options.source, override))
            if found == given.requests:
                listener(Event(_TASK, "unchanged", text=f"{found:,} requests are answered already"))
                return BatchReport(answerer.place, answerer.model, found, found, found, str(output))
        with batch_state(output, given, override) as state:
            if is_there(output):
                for number, line in answers_in(output, options.source, override):
                    state.take(number, line)
            return _Run(answerer, given, options, override, listener, state).run()
    except OSError as error:
        if full := no_room(error, output):
            raise full from error
        raise UsageError(
            f"cannot be written: {error.strerror or error}",
            where=str(error.filename or output),
            code="batch-file",
        ) from error


class _Run:
    """One run over a file whose lines were judged, and whose state is open."""

    def __init__(
        self,
        answerer: Answerer,
        given: BatchInput,
        options: BatchOptions,
        override: str,
        listener: Listener,
        state: BatchState,
    ) -> None:
        self._answerer = answerer
        self._given = given
        self._options = options
        self._override = override
        self._listener = listener
        self._state = state
        self._before = state.count("answered")
        self._began = time.monotonic()

    def run(self) -> BatchReport:
        """To the end. Raises as ``run_batch``, and OSError."""
        self._tell_begin()
        digest = hashlib.sha256()
        with self._options.source.open("rb") as file, self._keeping():
            left = self._left(requests_of(file, digest.update, self._override))
            asked = self._answerer.answer(left, self._state.keep, self._tick)
        if asked.given_up:
            raise self._given_out(asked.given_up, asked.remedy)
        if digest.hexdigest() != self._given.digest:
            place = place_of(self._options.output)
            raise self._changed(remedy=f"its answers so far are in {place}; put it back as it was")
        self._state.sync()
        ended = sum(map(self._state.count, ("answered", "refused", "failed")))
        if open_still := self._given.requests - ended:
            raise EngineError(
                f"{open_still:,} requests came to no end", where=self._answerer.place, code="batch-open"
            )
        return self._finish(asked.counts)

    def _left(self, requests: Iterator[BatchRequest]) -> Iterator[BatchRequest]:
        """Those that have not come to an end. Raises ConfigurationError: the file has changed."""
        try:
            for count, request in enumerate(requests, 1):
                if count > self._given.requests:
                    break
                if not self._state.is_done(request.number):
                    yield replace(request, body={"model": self._answerer.model, **request.body})
        except ValueError as error:
            raise self._changed(evidence=str(error)) from error

    def _changed(self, *, evidence: str = "", remedy: str = "") -> ConfigurationError:
        return ConfigurationError(
            "has changed while it was asked",
            where=str(self._given.path),
            evidence=evidence,
            remedy=remedy,
            code="batch-changed",
        )

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Whatever ends it, what has come is on the disk, and it is said where."""
        try:
            yield
        except BaseException:
            self._state.sync()
            self._listener(Event(_TASK, "note", text=self._kept))
            raise

    @property
    def _kept(self) -> str:
        done, place = self._given.requests - self._missing, place_of(self._options.output)
        return f"{done:,} of {self._given.requests:,} requests are done and kept in {place}"

    @property
    def _missing(self) -> int:
        return self._given.requests - self._state.count("answered") - self._state.count("refused")

    def _tell_begin(self) -> None:
        requests, missing = self._given.requests, self._missing
        if damaged := self._state.damaged:
            text = f"{damaged:,} lines of an earlier run cannot be read: these are asked again"
            self._listener(Event(_TASK, "note", text=text))
        text = f"{requests:,} requests" if missing == requests else f"{missing:,} of {requests:,} are left"
        self._listener(Event(_TASK, "started", text=text, done=requests - missing, total=requests))

    def _tick(self, counts: BatchCounts) -> None:
        self._state.sync()
        requests, missing = self._given.requests, self._missing
        done, seconds = requests - missing, time.monotonic() - self._began
        text = f"{done:,} of {requests:,}"
        if counts.refused + counts.failed:
            text += f", {counts.refused + counts.failed:,} not answered"
        if counts.output_tokens:
            text += f", {counts.output_tokens / seconds:,.0f} tokens/s"
        if counts.done:
            text += f", {_span(missing * seconds / counts.done)} left"
        self._listener(Event(_TASK, "progress", text=text, done=done, total=requests))

    def _finish(self, counts: BatchCounts) -> BatchReport:
        answered, errors = self._state.count("answered"), self._options.error_file
        failed = self._state.finish(self._options.output, errors)
        report = BatchReport(
            self._answerer.place,
            self._answerer.model,
            self._given.requests,
            self._before,
            answered,
            str(self._options.output),
            str(errors) if failed else "",
            time.monotonic() - self._began,
            counts,
        )
        text = f"{report.requests:,} requests, {report.failed:,} not answered"
        self._listener(Event(_TASK, "done" if report.answered else "failed", text=text))
        return report

    def _given_out(self, why: GivenUp, advice: str) -> LingctlError:
        """The error of a service that gives no more answers."""
        kind = ConnectError if why.trouble.no_service else EngineError
        what = "the service does not answer any more"
        if why.in_a_row:
            what = f"{why.in_a_row} requests failed one after the other"
        self._listener(Event(_TASK, "failed", text=self._kept))
        return kind(
            what,
            where=self._answerer.place,
            evidence=f"{why.custom_id}: {why.trouble}",
            remedy=f"{advice}\nthen the same command again: it asks what is left ({self._kept})",
            code="batch-given-up",
        )


def _span(seconds: float) -> str:
    """A time for a person: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
