"""A benchmark's result: as data, as rows of a table, as charts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingctl.serving.bench.chart import Chart, Limit, Line
from lingctl.serving.bench.goal import NO_GOAL, Goal
from lingctl.serving.bench.metrics import Distribution, Metrics, percentile
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.bench.sweep import NO_LIMITS, SweepLimits, Trial, best

TIME_COLUMNS = ("", "mean", "p50", "p90", "p99", "max")
SWEEP_COLUMNS = ("concurrency", "requests/s", "output tokens/s", "TTFT p90 ms", "TPOT p90 ms", "limit")
_CURVE = tuple(range(101))
_BUCKETS = 60


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What a benchmark found."""

    url: str  # base URL of the service
    model: str  # name that was asked for
    load: str  # the load in words, e.g. ``closed loop, 64 at a time``.
    tunnelled: bool  # whether it went through SSH, whose delays are then in the numbers
    metrics: Metrics  # of the load; of the best trial in a sweep (of the first if none kept the limits)
    outcomes: tuple[RequestOutcome, ...]  # of the same load
    trials: tuple[Trial, ...] = ()  # of a sweep, in the order of concurrency; empty otherwise
    costs: tuple[str, ...] = ()  # what it costs that the service refuses fields of the requests
    limits: SweepLimits = NO_LIMITS  # what a sweep had to keep
    goal: Goal = NO_GOAL  # what a request had to keep to be a good one

    @property
    def exit_status(self) -> int:
        """0 all requests answered, 3 some (or no trial kept the limits), 1 none."""
        if self.trials:
            return 0 if best(self.trials) else 3
        if not self.metrics.completed:
            return 1
        return 3 if self.metrics.failed else 0

    def notes(self) -> list[str]:
        """What a reader must know before believing the numbers."""
        notes = list(self.costs)
        if self.tunnelled:
            notes.append("measured through an SSH tunnel: its delays are in the numbers")
        if self.metrics.measures_itself:
            notes.append("the client used a whole processor: it measured itself too; lower the load")
        if self.metrics.by_tokenizer:
            notes.append("the service counts no tokens in streams: the tokenizer counted them")
        elif not self.metrics.counted:
            notes.append("the service counts no tokens in streams: events with tokens are counted instead")
        if self.metrics.only_thought:
            thought = f"{self.metrics.only_thought} of {self.metrics.completed} answers"
            notes.append(f"{thought} ended while the model still thought: they never came to an answer")
        if any(outcome.inline_thoughts for outcome in self.outcomes):
            notes.append("thoughts stand in the text of the answers: told apart by their tags")
        first = {outcome.error: outcome.error_text for outcome in reversed(self.outcomes) if outcome.error}
        return notes + [f"{kind}: {text}" for kind, text in first.items()]

    def as_json(self) -> dict[str, object]:
        """Plain data; times in milliseconds."""
        kept = best(self.trials)
        return {
            "url": self.url,
            "model": self.model,
            "load": self.load,
            "metrics": self.metrics.as_json(),
            "notes": self.notes(),
            "best_concurrency": kept.concurrency if kept else None,
            "trials": [
                {"concurrency": t.concurrency, "broken": t.broken, "metrics": t.metrics.as_json()}
                for t in self.trials
            ],
        }

    @property
    def conclusion(self) -> str:
        """What a sweep found, in a sentence."""
        kept = best(self.trials)
        if kept is None:
            return f"even one request at a time breaks the limit: {self.trials[0].broken}"
        broken = next((trial for trial in self.trials if trial.broken), None)
        held = f"the limits hold up to {kept.concurrency} requests at a time"
        return f"{held}; at {broken.concurrency}: {broken.broken}" if broken else f"{held}, the most tried"

    def charts(self) -> list[Chart]:
        """The charts of the load, or of the sweep."""
        if self.trials:
            return _sweep_charts(self.trials, self.limits)
        return _load_charts(self.outcomes, self.goal)


def amounts(metrics: Metrics) -> list[tuple[str, str]]:
    """Counts and rates, by name."""
    errors = ", ".join(f"{count} {kind}" for kind, count in metrics.errors.items())
    return [
        (
            "requests",
            f"{metrics.completed} of {metrics.requests} answered" + (f" ({errors})" if errors else ""),
        ),
        ("duration", f"{metrics.seconds:.2f} s"),
        ("requests/s", f"{metrics.request_rate:.2f}"),
        *((("good requests/s", f"{metrics.goodput:.2f}"),) if metrics.goodput is not None else ()),
        ("input tokens/s", f"{metrics.input_rate:.1f}"),
        ("output tokens/s", f"{metrics.output_rate:.1f}"),
        ("concurrency", f"{metrics.concurrency:.1f}"),
        ("client busy", f"{100 * metrics.client_busy:.0f} %"),
    ]


def time_rows(metrics: Metrics) -> list[tuple[str, ...]]:
    """One row per kind of time, in milliseconds."""
    thinks = metrics.only_thought or metrics.answer != metrics.ttft
    named = (
        ("TTFT", metrics.ttft),
        *((("first answer token", metrics.answer),) if thinks else ()),
        ("TPOT", metrics.tpot),
        ("ITL", metrics.itl),
        ("end to end", metrics.end_to_end),
    )
    return [(name, *_times(times)) for name, times in named]


def sweep_rows(trials: Sequence[Trial]) -> list[tuple[str, ...]]:
    """One row per concurrency."""
    return [
        (
            str(trial.concurrency),
            f"{trial.metrics.request_rate:.2f}",
            f"{trial.metrics.output_rate:.1f}",
            f"{trial.metrics.ttft.p90:.1f}",
            f"{trial.metrics.tpot.p90:.2f}",
            trial.broken or "kept",
        )
        for trial in trials
    ]


def _times(times: Distribution) -> tuple[str, ...]:
    if not times.count:
        return ("-",) * 5
    return tuple(f"{value:.2f}" for value in (times.mean, times.p50, times.p90, times.p99, times.most))


def _limit(name: str, value: float | None) -> list[Limit]:
    return [] if value is None else [Limit(f"{name} {value:g} ms", value)]


def _load_charts(outcomes: Sequence[RequestOutcome], goal: Goal) -> list[Chart]:
    good = [outcome for outcome in outcomes if outcome.ok]
    if not good:
        return []
    first = _curve([1000 * (outcome.token_at[0] - outcome.sent_at) for outcome in good])
    whole = _curve([1000 * (outcome.last_token_at - outcome.sent_at) for outcome in good])
    latency = Chart(
        "Latency by percentile",
        "percentile",
        "ms",
        [Line("TTFT", first), Line("end to end", whole)],
        [*_limit("TTFT", goal.ttft), *_limit("end to end", goal.e2el)],
    )
    return [latency, Chart("Events with tokens over time", "s", "per s", [Line("events", _over_time(good))])]


def _curve(values: list[float]) -> list[tuple[float, float]]:
    ordered = sorted(values)
    return [(share, percentile(ordered, share)) for share in _CURVE]


def _over_time(outcomes: Sequence[RequestOutcome]) -> list[tuple[float, float]]:
    moments = [at for outcome in outcomes for at in outcome.token_at]
    start = min(outcome.sent_at for outcome in outcomes)
    width = max((max(moments) - start) / _BUCKETS, 1e-9)
    counts = [0] * (_BUCKETS + 1)
    for at in moments:
        counts[int((at - start) / width)] += 1
    return [(round(n * width, 6), count / width) for n, count in enumerate(counts[:_BUCKETS])]


def _sweep_charts(trials: Sequence[Trial], limits: SweepLimits) -> list[Chart]:
    def line(name: str, values: list[float]) -> Line:
        return Line(name, [(t.concurrency, value) for t, value in zip(trials, values, strict=True)])

    ttft = line("TTFT p90", [t.metrics.ttft.p90 for t in trials])
    tpot = line("TPOT p90", [t.metrics.tpot.p90 for t in trials])
    rate = line("output tokens/s", [t.metrics.output_rate for t in trials])
    return [
        Chart("Throughput", "concurrency", "per s", [rate]),
        Chart("Time to first token", "concurrency", "ms", [ttft], _limit("TTFT p90", limits.ttft)),
        Chart("Time per output token", "concurrency", "ms", [tpot], _limit("TPOT p90", limits.tpot)),
    ]
