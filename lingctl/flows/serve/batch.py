"""batch: every request of a file to a service, resumed where it was left."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from lingctl.errors import ConfigurationError, ConnectError, EngineError, LingctlError, UsageError
from lingctl.events import Event, Listener
from lingctl.flows.look.running import need_no_lost_node
from lingctl.flows.run.whole_file import no_room
from lingctl.flows.serve.batch_input import BatchOptions
from lingctl.flows.serve.batch_state import BatchState, answers_in, batch_state, place_of
from lingctl.flows.serve.chat import failure
from lingctl.inventory.cluster import Cluster
from lingctl.release.site import site_of
from lingctl.remote.group import Group
from lingctl.serving.batch.asking import Asking, BatchCounts, GivenUp
from lingctl.serving.batch.report import BatchReport
from lingctl.serving.batch.requests import (
    BatchInput,
    BatchRequest,
    requests_of,
)
from lingctl.serving.endpoint import NO_TLS_FILES, Endpoint, TlsFiles, endpoint_of
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import Limits
from lingctl.serving.http.models import known
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.remedies import advice_for
from lingctl.serving.trouble import ExchangeTrouble

_TASK = "batch"
# Bytes of an answer, of which as many as requests are open are held at a time.
_LARGEST_ANSWER = 16 << 20
_MOST_TOLD = 12  # names of models in an error


def batch_endpoint(
    endpoint: Endpoint, given: BatchInput, options: BatchOptions, listener: Listener
) -> BatchReport:
    """Ask any service that can be reached from here.

    Args:
        given: the input, as ``judged_input`` gave it.

    Raises:
        LingctlError: the input has changed, nothing answers, or the service gave out.
    """
    with client_for(endpoint, limits=_limits(options)) as client:
        return _batch(client, given, options, listener)


def batch_cluster(
    group: Group,
    cluster: Cluster,
    given: BatchInput,
    options: BatchOptions,
    listener: Listener,
    *,
    tls: TlsFiles = NO_TLS_FILES,
) -> BatchReport:
    """Ask a cluster's service, over SSH where its port is closed to this machine.

    Raises:
        LingctlError: as ``batch_endpoint``; or a node's daemon is dead or cannot be seen.
    """
    need_no_lost_node(group, site_of(cluster), "batch")
    endpoint = endpoint_of(cluster, tls=tls)
    with client_for(endpoint, forward_to(group, cluster), _limits(options)) as client:
        return _batch(client, given, options, listener)


def _limits(options: BatchOptions) -> Limits:
    # An answer that is no stream comes all at once: silence is no sign.
    return Limits(idle=options.timeout, total=options.timeout, largest=_LARGEST_ANSWER)


def _batch(client: Client, given: BatchInput, options: BatchOptions, listener: Listener) -> BatchReport:
    client, model = _named(client, given, options)
    override = model if options.any_model else ""
    try:
        return _Run(client, given, options, override, listener).run()
    except OSError as error:
        if full := no_room(error, options.output):
            raise full from error
        raise UsageError(
            f"cannot be written: {error.strerror or error}",
            where=str(error.filename or options.output),
            code="batch-file",
        ) from error


def _named(client: Client, given: BatchInput, options: BatchOptions) -> tuple[Client, str]:
    """The client with the name of the model that is asked.

    Raises:
        ConnectError: nothing answers.
        EngineError: the models cannot be listed and no name is given.
        ConfigurationError: lines name models that are not served.
    """
    listed = client.models()
    if isinstance(listed, ExchangeTrouble):
        if listed.no_service or not client.endpoint.served_name:
            raise failure(client.endpoint, listed)
        return client, client.endpoint.served_name
    client, _ = known(client, listed)
    name = client.endpoint.served_name
    unknown = {one: line for one, line in given.models.items() if one not in (*listed.names, name)}
    if unknown and not options.any_model:
        told = [f"line {line}: model {one!r}" for one, line in unknown.items()]
        raise ConfigurationError(
            "lines name models that the service does not have",
            where=str(given.path),
            evidence="\n".join(told[:_MOST_TOLD]),
            remedy=f"it has {', '.join(listed.names)}; to ask {name} whatever the lines name: --any-model",
            code="batch-model",
        )
    return client, name


class _Run:
    """One run over a file whose lines were judged."""

    def __init__(
        self, client: Client, given: BatchInput, options: BatchOptions, override: str, listener: Listener
    ) -> None:
        self._client = client
        self._given = given
        self._options = options
        self._override = override
        self._listener = listener
        self._before = 0
        self._began = time.monotonic()

    def run(self) -> BatchReport:
        """To the end. Raises as ``batch_endpoint``, and OSError."""
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
            asking = Asking(
                self._client,
                self._left(requests_of(file, digest.update, self._override), state),
                concurrency=min(self._options.concurrency, self._given.requests),
                retries=self._options.retries,
                keep=state.keep,
            )
            with self._keeping(state):
                asking.run(lambda counts: self._tick(counts, state))
        if asking.given_up:
            raise self._given_out(asking.given_up, state)
        if digest.hexdigest() != self._given.digest:
            raise ConfigurationError(
                "has changed while it was asked",
                where=str(self._given.path),
                remedy=f"its answers so far are in {place_of(self._options.output)}; put it back as it was",
                code="batch-changed",
            )
        state.sync()
        return self._finish(state, asking.counts)

    def _left(self, requests: Iterator[BatchRequest], state: BatchState) -> Iterator[BatchRequest]:
        """Those that have not come to an end. Raises ConfigurationError: the file has changed."""
        count = 0
        try:
            for count, request in enumerate(requests, 1):
                if count > self._given.requests:
                    break
                if not state.is_done(request.number):
                    yield replace(request, body={"model": self._client.endpoint.served_name, **request.body})
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
        endpoint = self._client.endpoint
        return BatchReport(
            endpoint.service_url,
            endpoint.served_name,
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

    def _given_out(self, why: GivenUp, state: BatchState) -> LingctlError:
        """The error of a service that gives no more answers."""
        endpoint = self._client.endpoint
        kind = ConnectError if why.trouble.no_service else EngineError
        what = "the service does not answer any more"
        if why.in_a_row:
            what = f"{why.in_a_row} requests failed one after the other"
        text = self._kept(state)
        self._listener(Event(_TASK, "failed", text=text))
        advice = advice_for(endpoint).remedy(why.trouble)
        return kind(
            what,
            where=endpoint.service_url,
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


def _span(seconds: float) -> str:
    """A time for a person: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
