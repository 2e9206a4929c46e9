"""The service under load: up to its limits, and for a long time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median_high

from lingctl.findings import Finding, Subject
from lingctl.flows.accept.protocol import Acceptance, Judged
from lingctl.flows.look.status.cluster_status import cluster_status
from lingctl.flows.serve.asked_service import ClusterService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.serving.bench.load import Pace
from lingctl.serving.bench.metrics import Metrics
from lingctl.serving.bench.report import BenchReport

# How much slower the last third of a soak may be than the first, and how much fuller a card.
_SLOWER, _MUCH_SLOWER, _FULLER = 1.1, 1.3, 1.02
_LEAST_WINDOWS = 3
_INPUT, _OUTPUT = 256, 128


def measure(given: Acceptance) -> Judged:
    """The most requests at a time that keep the limits; without limits, the loads on the way up."""
    options = given.options
    asked = BenchOptions(
        requests=options.requests,
        input_tokens=_INPUT,
        output_tokens=_OUTPUT,
        limits=options.limits,
        most_concurrency=options.most_concurrency,
    )
    with given.connect() as group:
        report = bench_service(ClusterService(group, given.cluster), asked, given.listener)
    trials = [
        {"concurrency": trial.concurrency, "broken": trial.broken, **_figures(trial.metrics)}
        for trial in report.trials
    ]
    return Judged(report.conclusion, tuple(_of_sweep(report, given)), {"trials": trials})


def _of_sweep(report: BenchReport, given: Acceptance) -> list[Finding]:
    of, limits = Subject("load"), given.options.limits
    findings = [of.note(note) for note in report.notes()]
    failed = [trial for trial in report.trials if trial.metrics.failed]
    for trial in failed:
        counts = f"{trial.metrics.failed} of {trial.metrics.requests}"
        what = f"{counts} requests failed at {trial.concurrency} at a time"
        kinds = ", ".join(f"{count} {kind}" for kind, count in trial.metrics.errors.items())
        findings.append(of.failure(what, evidence=kinds, remedy="lingctl logs"))
    if report.exit_status and not failed:
        remedy = "ask for less: --ttft, --tpot; or serve with more cards: lingctl capacity"
        findings.append(of.failure(report.conclusion, remedy=remedy))
    if limits.ttft is None and limits.tpot is None:
        findings.append(of.note("no limit was asked for: --ttft MS, --tpot MS"))
    return findings


def _figures(metrics: Metrics) -> dict[str, object]:
    return {
        "requests": metrics.requests,
        "failed": metrics.failed,
        "output_tokens_per_second": round(metrics.output_rate, 1),
        "ttft_p90_ms": round(metrics.ttft.p90, 1),
        "tpot_p90_ms": round(metrics.tpot.p90, 2),
        "tpot_p50_ms": round(metrics.tpot.p50, 2),
    }


@dataclass(frozen=True, slots=True)
class SoakWindow:
    """A stretch of a soak."""

    at: float  # seconds from its beginning
    failed: int
    requests: int
    output_tokens_per_second: float
    ttft_p90_ms: float
    tpot_p50_ms: float
    memory: Mapping[str, int]  # used memory of each card in MB, by ``node card``; empty where it is unknown


def soak(given: Acceptance) -> Judged:
    """The same load for a long time: no error, no card that fills, no answer that slows down."""
    options = given.options
    if options.soak_seconds <= 0:
        return Judged("not asked for", (Subject("soak").note("no soak was asked for: --soak SECONDS"),))
    load = BenchOptions(
        requests=4 * options.soak_concurrency,
        pace=Pace(concurrency=options.soak_concurrency),
        input_tokens=_INPUT,
        output_tokens=_OUTPUT,
        warmup=0,
    )
    start, windows = time.monotonic(), list[SoakWindow]()
    while time.monotonic() - start < options.soak_seconds or len(windows) < _LEAST_WINDOWS:
        with given.connect() as group:
            metrics = bench_service(ClusterService(group, given.cluster), load, given.listener).metrics
            memory = {
                f"{row.node} card {card}": used
                for row in cluster_status(group, given.cluster)
                for card, used in (row.memory or {}).items()
            }
        windows.append(
            SoakWindow(
                round(time.monotonic() - start, 1),
                metrics.failed,
                metrics.requests,
                round(metrics.output_rate, 1),
                round(metrics.ttft.p90, 1),
                round(metrics.tpot.p50, 2),
                memory,
            )
        )
    requests = sum(window.requests for window in windows)
    what = f"{requests} requests in {windows[-1].at / 60:.1f} minutes, {options.soak_concurrency} at a time"
    return Judged(what, tuple(judge_soak(windows)), {"windows": [asdict(window) for window in windows]})


def judge_soak(windows: Sequence[SoakWindow]) -> list[Finding]:
    """What a soak shows. Pure."""
    return [_of_errors(windows), _of_speed(windows), *_of_memory(windows)]


def _of_errors(windows: Sequence[SoakWindow]) -> Finding:
    of = Subject("soak-errors")
    failed, requests = sum(window.failed for window in windows), sum(window.requests for window in windows)
    if failed:
        return of.failure(f"{failed} of {requests} requests failed", remedy="lingctl logs")
    return of.passes(f"all {requests} requests were answered")


def _of_speed(windows: Sequence[SoakWindow]) -> Finding:
    of, speeds = Subject("soak-speed"), [window.tpot_p50_ms for window in windows]
    third = max(1, len(speeds) // 3)
    first, last = median_high(speeds[:third]), median_high(speeds[-third:])
    what = f"time per token {first:.2f} ms at the beginning, {last:.2f} ms at the end"
    remedy = "lingctl status; npu-smi info: heat, other users of the cards"
    if not first or not last:
        return of.unknown(what, remedy=remedy)
    if last <= _SLOWER * first:
        return of.passes(what)
    return (of.failure if last > _MUCH_SLOWER * first else of.warning)(what, remedy=remedy)


def _of_memory(windows: Sequence[SoakWindow]) -> list[Finding]:
    of = Subject("soak-memory")
    # The first window still fills caches.
    seen = [window.memory for window in windows[1:] or windows]
    first, last = seen[0], seen[-1]
    if not first or any(memory.keys() != first.keys() for memory in seen):
        return [of.unknown("the cards' memory could not be read all the time")]
    return [
        of.warning(
            f"{card}: {used} MB at the beginning, {last[card]} MB at the end",
            remedy="a longer soak shows whether it goes on: --soak",
        )
        for card, used in first.items()
        if last[card] > _FULLER * used
    ] or [of.passes("no card's memory grew")]
