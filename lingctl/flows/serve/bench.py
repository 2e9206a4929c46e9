"""bench: how fast a service answers, after it has proved that it answers at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from lingctl.errors import ConnectError, EngineError
from lingctl.events import Event, Listener
from lingctl.flows.look.running import daemons_not_seen, in_words
from lingctl.inventory.cluster import Cluster
from lingctl.release.site import site_of
from lingctl.remote.group import Group
from lingctl.serving.api import Ask, Dialect, ModelKind, dialect_for
from lingctl.serving.bench.connection import Target
from lingctl.serving.bench.load import LoadResult, Pace, Patience, resolve, run_load
from lingctl.serving.bench.metrics import Metrics, measure
from lingctl.serving.bench.prompts import Prompt, made_up, read_dataset
from lingctl.serving.bench.report import BenchReport
from lingctl.serving.bench.sweep import SweepLimits, best, sweep
from lingctl.serving.client import Client, Generation, ModelList
from lingctl.serving.endpoint import NO_TLS_FILES, Endpoint, TlsFiles, address_of, endpoint_of
from lingctl.serving.http import tls_context
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.smoke.remedies import remedy_for
from lingctl.serving.trouble import ExchangeTrouble

_ONE_AT_A_TIME = Pace(concurrency=1)


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What load to put on."""

    requests: int = 100  # how many, in each trial
    pace: Pace = _ONE_AT_A_TIME  # closed or open loop
    kind: ModelKind = "chat"  # ``chat`` or ``base``
    input_tokens: int = 256  # length of made-up prompts; the service's own count steers it
    output_tokens: int = 128  # length of each answer; a dataset's rows may name their own
    dataset: Path | None = None  # prompts to use instead of made-up ones
    warmup: int = 2  # requests sent first and not measured
    timeout: float = 600.0  # seconds that one request may take
    seed: int = 0  # of prompts and arrivals
    limits: SweepLimits | None = None  # makes it a sweep over the concurrency, up to ``most_concurrency``
    most_concurrency: int = 512


def bench_endpoint(endpoint: Endpoint, options: BenchOptions, listener: Listener) -> BenchReport:
    """Measure any service that can be reached from here.

    Raises:
        LingctlError: it does not answer a single request, or the dataset is unusable.
    """
    with client_for(endpoint) as client:
        return _bench(client, options, listener)


def bench_cluster(
    group: Group,
    cluster: Cluster,
    options: BenchOptions,
    listener: Listener,
    *,
    tls: TlsFiles = NO_TLS_FILES,
) -> BenchReport:
    """Measure a cluster's service, over SSH where its port is closed to this machine.

    Raises:
        LingctlError: a node's daemon is dead or cannot be seen, the service does not answer a single request,
            or the dataset is unusable.
    """
    lost = in_words(daemons_not_seen(group, site_of(cluster))) if cluster.multi_node else ""
    if lost:
        raise EngineError(
            "a node is lost or cannot be seen, and a request could end the service",
            evidence=lost,
            remedy="see every node's daemon: lingctl status; start all of them again: lingctl restart",
            code="bench-node-lost",
        )
    options = replace(options, kind=cluster.catalogue_model.kind)
    with client_for(endpoint_of(cluster, tls=tls), forward_to(group, cluster)) as client:
        return _bench(client, options, listener)


def _bench(client: Client, options: BenchOptions, listener: Listener) -> BenchReport:
    client, dialect = _named(client, options.kind)
    prompts = _prompts_for(client, dialect, options, listener)
    load = _Loads(client, dialect, options, prompts, listener)
    load.send("warm-up", options.warmup, Pace(concurrency=max(1, options.warmup)))
    if options.limits:
        return load.sweep(options.limits)
    result = load.send("bench", options.requests, options.pace)
    return load.report(_words(options.pace), measure(result), result)


class _Loads:
    """One target, and the loads that are put on it."""

    def __init__(
        self,
        client: Client,
        dialect: Dialect,
        options: BenchOptions,
        prompts: Iterator[Prompt],
        listener: Listener,
    ) -> None:
        endpoint = client.endpoint
        address = address_of(endpoint.service_url)
        self._client = client
        self._dialect = dialect
        self._options = options
        self._prompts = prompts
        self._listener = listener
        self._tunnelled = address.place in client.routes
        tls = tls_context(endpoint.tls) if address.scheme == "https" else None
        place = resolve(client.routes.get(address.place, address.place))
        self._target = Target(address, place, dialect, endpoint.api_key, tls)

    def send(self, task: str, total: int, pace: Pace) -> LoadResult:
        """Put one load on, telling the listener now and then."""
        bodies = [self._body(prompt) for prompt in islice(self._prompts, total)]
        every = max(1, total // 100)

        def tick(done: int, failed: int) -> None:
            if done % every == 0:
                text = f"{done} of {total}" + (f", {failed} failed" if failed else "")
                self._listener(Event(task, "progress", text=text))

        self._listener(Event(task, "started", text=f"{total} requests"))
        patience = Patience(idle=self._options.timeout, total=self._options.timeout)
        result = run_load(self._target, bodies, pace, patience=patience, seed=self._options.seed, tick=tick)
        failed = sum(not outcome.ok for outcome in result.outcomes)
        text = f"{total} requests, {failed} failed"
        self._listener(Event(task, "failed" if total and failed == total else "done", text=text))
        return result

    def sweep(self, limits: SweepLimits) -> BenchReport:
        """Find the highest concurrency that keeps the limits."""
        results: dict[int, LoadResult] = {}

        def trial(concurrency: int) -> Metrics:
            # Fewer requests than a few rounds of each slot would only show the first burst.
            count = max(self._options.requests, 4 * concurrency)
            results[concurrency] = self.send(f"concurrency {concurrency}", count, Pace(concurrency))
            return measure(results[concurrency])

        trials = sweep(trial, limits, self._options.most_concurrency)
        shown = best(trials) or trials[0]
        report = self.report("sweep", shown.metrics, results[shown.concurrency])
        return replace(report, trials=tuple(trials))

    def report(self, words: str, metrics: Metrics, result: LoadResult) -> BenchReport:
        """What to show."""
        endpoint = self._client.endpoint
        return BenchReport(
            endpoint.service_url, endpoint.served_name, words, self._tunnelled, metrics, result.outcomes
        )

    def _body(self, prompt: Prompt) -> dict[str, object]:
        # Answers of one length make runs comparable; a dataset is asked as it is.
        made_up_prompt = self._options.dataset is None
        tokens = prompt.max_tokens or self._options.output_tokens
        # /infer counts its tokens only where details are asked for.
        ask = Ask(prompt.text, max_tokens=tokens, ignore_eos=made_up_prompt, details=True)
        return self._dialect.body(self._client.endpoint.served_name, ask, True)


def _named(client: Client, kind: ModelKind) -> tuple[Client, Dialect]:
    """The client with its model's name known, and how to ask.

    Raises:
        ConnectError: nothing answers.
        EngineError: the models cannot be listed and no name is given.
    """
    listed = client.models()
    if isinstance(listed, ExchangeTrouble) and (listed.no_service or not client.endpoint.served_name):
        raise _no_answer(listed)
    mindie = bool(client.endpoint.management_url)
    if isinstance(listed, ModelList):
        mindie = mindie or listed.of_mindie
        name = client.endpoint.served_name or listed.names[0]
        client = replace(client, endpoint=client.endpoint.with_name(name))
    return client, dialect_for(kind, mindie=mindie)


def _prompts_for(
    client: Client, dialect: Dialect, options: BenchOptions, listener: Listener
) -> Iterator[Prompt]:
    """Prompts without end: the dataset over and over, or made-up ones that never repeat."""
    if options.dataset:
        prompts = read_dataset(options.dataset)
        _first_answer(client, dialect, prompts[0])
        return cycle(prompts)
    return made_up(_words_for(client, dialect, options, listener), options.seed)


def _words_for(client: Client, dialect: Dialect, options: BenchOptions, listener: Listener) -> int:
    """How many words make ``input_tokens`` tokens, by the service's own count of two trial prompts.

    Two, because the chat template and a prompt's first word have tokens of their own.
    """
    wanted = options.input_tokens
    few, many = (_prompt_tokens(client, dialect, words, options.seed + 1) for words in (1, max(2, wanted)))
    if not few or many <= few:
        listener(
            Event("prompts", "note", text="the service counts no input tokens: one word is taken for one")
        )
        return wanted
    per_word = (many - few) / (max(2, wanted) - 1)
    return max(1, round(1 + (wanted - few) / per_word))


def _prompt_tokens(client: Client, dialect: Dialect, words: int, seed: int) -> int:
    answer = _first_answer(client, dialect, next(made_up(words, seed)))
    return (answer.usage.prompt or 0) if answer.usage else 0


def _first_answer(client: Client, dialect: Dialect, prompt: Prompt) -> Generation:
    answer = client.generate(dialect, Ask(prompt.text, max_tokens=2))
    if isinstance(answer, ExchangeTrouble):
        raise _no_answer(answer)
    return answer


def _no_answer(trouble: ExchangeTrouble) -> ConnectError | EngineError:
    kind = ConnectError if trouble.no_service else EngineError
    remedy = f"{remedy_for(trouble)}\nfind out which step fails: lingctl smoke-test"
    return kind(
        "the service does not answer a single request",
        evidence=str(trouble),
        remedy=remedy,
        code="bench-no-answer",
    )


def _words(pace: Pace) -> str:
    if pace.rate is not None:
        return f"open loop, {pace.rate:g} requests/s at Poisson moments"
    return f"closed loop, {pace.concurrency} at a time"
