"""bench: how fast a service answers, after it has proved that it answers at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path

from lingctl.errors import ConnectError, EngineError
from lingctl.events import Event, Listener
from lingctl.flows.serve.asked_service import AskedService, met
from lingctl.serving.bench.connection import Target
from lingctl.serving.bench.goal import NO_GOAL, Goal
from lingctl.serving.bench.load import LoadResult, Pace, resolve, run_load
from lingctl.serving.bench.metrics import Metrics, measure
from lingctl.serving.bench.prompts import Prompt, made_up, read_dataset
from lingctl.serving.bench.report import BenchReport
from lingctl.serving.bench.sweep import SweepLimits, best, sweep
from lingctl.serving.bench.tokens import CountTokens, count_tokens
from lingctl.serving.endpoint import address_of
from lingctl.serving.faults import fault_of
from lingctl.serving.http.api import A_FEW, Ask, AskedKind, Dialect, dialect_for
from lingctl.serving.http.client import Client
from lingctl.serving.http.concessions import agreed, costs
from lingctl.serving.http.exchange import Limits, tls_context
from lingctl.serving.http.models import cannot_chat, kind_by_name
from lingctl.serving.http.streamed import gather
from lingctl.serving.remedies import advice_for
from lingctl.serving.trouble import ExchangeTrouble

_ONE_AT_A_TIME = Pace(concurrency=1)


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What load to put on."""

    requests: int = 100  # how many, in each trial
    pace: Pace = _ONE_AT_A_TIME  # closed or open loop
    kind: AskedKind = "auto"
    input_tokens: int = 256  # length of made-up prompts; the service's own count steers it
    output_tokens: int = 128  # length of each answer; a dataset's rows may name their own
    dataset: Path | None = None  # prompts to use instead of made-up ones
    warmup: int = 2  # requests sent first and not measured
    timeout: float = 600.0  # seconds that one request may take
    seed: int = 0  # of prompts and arrivals
    limits: SweepLimits | None = None  # makes it a sweep over the concurrency, up to ``most_concurrency``
    most_concurrency: int = 512
    goal: Goal = NO_GOAL  # what a request must keep to count as a good one
    count: CountTokens | None = None  # counts tokens where the service does not

    def as_json(self) -> dict[str, object]:
        """What a result has to share with another to be compared with it."""
        names = ("requests", "input_tokens", "output_tokens", "dataset", "warmup", "seed")
        told = {name: getattr(self, name) for name in names} | asdict(self.pace)
        return {name: value for name, value in told.items() if value is not None}


def bench_service(service: AskedService, options: BenchOptions, listener: Listener) -> BenchReport:
    """Measure a service.

    Raises:
        LingctlError: a node's daemon is dead or cannot be seen, the service does not answer a single request,
            or the dataset is unusable.
    """
    service.need_no_lost_node("bench")
    with service.client() as client:
        return _bench(client, service.kind(options.kind), options, listener)


def _bench(client: Client, kind: AskedKind, options: BenchOptions, listener: Listener) -> BenchReport:
    prompts = read_dataset(options.dataset) if options.dataset else None
    client, dialect = _known(client, kind, prompts[0] if prompts else Prompt("Hi"))
    client = agreed(client, lambda client: _refusal(client, dialect, options))
    asked = (
        cycle(prompts) if prompts else made_up(_words_for(client, dialect, options, listener), options.seed)
    )
    load = _Loads(client, dialect, options, asked, listener)
    load.send("warm-up", options.warmup, Pace(concurrency=max(1, options.warmup)))
    if options.limits:
        return load.sweep(options.limits)
    result = load.send("bench", options.requests, options.pace)
    return load.report(_words(options.pace), measure(result, options.goal), result)


@dataclass(frozen=True)
class _Loads:
    """One target, and the loads that are put on it."""

    client: Client
    dialect: Dialect
    options: BenchOptions
    prompts: Iterator[Prompt]
    listener: Listener

    @cached_property
    def target(self) -> Target:
        """Where they go; its address is looked up once."""
        endpoint = self.client.endpoint
        address = address_of(endpoint.service_url)
        tls = tls_context(endpoint.tls) if address.scheme == "https" else None
        place = resolve(self.client.routes.get(address.place, address.place))
        path, keeps_text = endpoint.path_of(self.dialect.path), self.options.count is not None
        return Target(address, place, self.dialect, endpoint.api_key, tls, path, keeps_text)

    def send(self, task: str, total: int, pace: Pace) -> LoadResult:
        """Put one load on, telling the listener now and then."""
        prompts = list(islice(self.prompts, total))
        bodies = [
            self.client.body(self.dialect, _ask(prompt, self.options), stream=True) for prompt in prompts
        ]
        every = max(1, total // 100)

        def tick(done: int, failed: int) -> None:
            if done % every == 0:
                text = f"{done} of {total}" + (f", {failed} failed" if failed else "")
                self.listener(Event(task, "progress", text=text))

        self.listener(Event(task, "started", text=f"{total} requests"))
        limits = Limits(connect=10.0, idle=self.options.timeout, total=self.options.timeout)
        result = run_load(self.target, bodies, pace, limits=limits, seed=self.options.seed, tick=tick)
        if self.options.count:
            count_tokens(result.outcomes, [prompt.text for prompt in prompts], self.options.count)
        failed = sum(not outcome.ok for outcome in result.outcomes)
        text = f"{total} requests, {failed} failed"
        self.listener(Event(task, "failed" if total and failed == total else "done", text=text))
        return result

    def sweep(self, limits: SweepLimits) -> BenchReport:
        """Find the highest concurrency that keeps the limits."""
        results: dict[int, LoadResult] = {}

        def trial(concurrency: int) -> Metrics:
            # Fewer requests than a few rounds of each slot would only show the first burst.
            count = max(self.options.requests, 4 * concurrency)
            results[concurrency] = self.send(f"concurrency {concurrency}", count, Pace(concurrency))
            return measure(results[concurrency], self.options.goal)

        trials = sweep(trial, limits, self.options.most_concurrency)
        shown = best(trials) or trials[0]
        report = self.report("sweep", shown.metrics, results[shown.concurrency])
        return replace(report, trials=tuple(trials), limits=limits)

    def report(self, words: str, metrics: Metrics, result: LoadResult) -> BenchReport:
        """What to show."""
        endpoint = self.client.endpoint
        return BenchReport(
            endpoint.service_url,
            endpoint.served_name,
            words,
            self.target.address.place in self.client.routes,
            metrics,
            result.outcomes,
            costs=tuple(costs(self.client.left_out)),
            goal=self.options.goal,
        )


def _ask(prompt: Prompt, options: BenchOptions) -> Ask:
    """A request of the load.

    Answers of one length make runs comparable; a dataset is asked as it is. MindIE's ``/infer`` counts its
    tokens only where details are asked for.
    """
    tokens = prompt.max_tokens or options.output_tokens
    return Ask(prompt.text, max_tokens=tokens, ignore_eos=options.dataset is None, details=True)


def _refusal(client: Client, dialect: Dialect, options: BenchOptions) -> ExchangeTrouble | None:
    """What the service says to a short request of the load's form; None if it answers."""
    ask = replace(_ask(Prompt("Hi"), options), max_tokens=A_FEW)
    return gather(client.stream(dialect, ask)).trouble


def _known(client: Client, kind: AskedKind, prompt: Prompt) -> tuple[Client, Dialect]:
    """The client with its model's name known, and how to ask.

    Raises:
        ConnectError: nothing answers.
        EngineError: the models cannot be listed and no name is given, or no request is answered.
    """
    client, mindie, _ = met(client, _no_answer)
    sure = kind_by_name(client.endpoint.served_name, kind)
    dialect, ask = dialect_for(sure, mindie=mindie), Ask(prompt.text, max_tokens=A_FEW)
    trouble = client.refusal(dialect, ask)
    if kind == "auto" and sure == "chat" and trouble and cannot_chat(trouble):
        dialect = dialect_for("base", mindie=mindie)
        trouble = client.refusal(dialect, ask)
    if trouble:
        client = agreed(client, lambda client: client.refusal(dialect, ask))
        if not client.left_out:
            raise _no_answer(client, trouble)
    return client, dialect


def _words_for(client: Client, dialect: Dialect, options: BenchOptions, listener: Listener) -> int:
    """How many words make ``input_tokens`` tokens, by the service's own count of two trial prompts.

    Two, because the chat template and a prompt's first word have tokens of their own.
    """
    wanted, seed = options.input_tokens, options.seed + 1
    few, words = _prompt_tokens(client, dialect, 1, seed), max(2, wanted)
    while isinstance(many := _prompt_tokens(client, dialect, words, seed), ExchangeTrouble):
        # As many words as tokens may not fit where that many tokens do.
        if fault_of(many) != "length" or words == 2:
            raise _no_answer(client, many)
        words = max(2, words // 2)
    if isinstance(few, ExchangeTrouble):
        raise _no_answer(client, few)
    if not few or many <= few:
        listener(
            Event("prompts", "note", text="the service counts no input tokens: one word is taken for one")
        )
        return wanted
    per_word = (many - few) / (words - 1)
    return max(1, round(1 + (wanted - few) / per_word))


def _prompt_tokens(client: Client, dialect: Dialect, words: int, seed: int) -> int | ExchangeTrouble:
    answer = client.generate(dialect, Ask(next(made_up(words, seed)).text, max_tokens=A_FEW))
    if isinstance(answer, ExchangeTrouble):
        return answer
    return (answer.usage.prompt or 0) if answer.usage else 0


def _no_answer(client: Client, trouble: ExchangeTrouble) -> ConnectError | EngineError:
    kind = ConnectError if trouble.no_service else EngineError
    remedy = f"{advice_for(client.endpoint).remedy(trouble)}\nfind out which step fails: lingctl smoke-test"
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
