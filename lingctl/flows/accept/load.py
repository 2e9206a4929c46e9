"""The service under load: up to its limits, and for a long time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from lingctl.findings import Finding, Verdict
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
    return Judged(report.conclusion, tuple(_of_sweep(report, given)), {"trials": _trials(report)})


def _of_sweep(report: BenchReport, given: Acceptance) -> list[Finding]:
    findings = [Finding("load", Verdict.NOTE, note) for note in report.notes()]
    failed = [trial for trial in report.trials if trial.metrics.failed]
    for trial in failed:
        counts = f"{trial.metrics.failed} of {trial.metrics.requests}"
        what = f"{counts} requests failed at {trial.concurrency} at a time"
        kinds = ", ".join(f"{count} {kind}" for kind, count in trial.metrics.errors.items())
        findings.append(Finding("load", Verdict.FAILURE, what, evidence=kinds, remedy="lingctl logs"))
    if report.exit_status and not failed:
        remedy = "ask for less: --ttft, --tpot; or serve with more cards: lingctl capacity"
        findings.append(Finding("load", Verdict.FAILURE, report.conclusion, remedy=remedy))
    limits = given.options.limits
    if limits.ttft is None and limits.tpot is None:
        findings.append(Finding("load", Verdict.NOTE, "no limit was asked for: --ttft MS, --tpot MS"))
    return findings


def _trials(report: BenchReport) -> list[dict[str, object]]:
    return [
        {"concurrency": trial.concurrency, "broken": trial.broken, **_figures(trial.metrics)}
        for trial in report.trials
    ]


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
        note = Finding("soak", Verdict.NOTE, "no soak was asked for: --soak SECONDS")
        return Judged("not asked for", (note,))
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
    findings = []
    failed, requests = sum(window.failed for window in windows), sum(window.requests for window in windows)
    if failed:
        what = f"{failed} of {requests} requests failed"
        findings.append(Finding("soak-errors", Verdict.FAILURE, what, remedy="lingctl logs"))
    else:
        findings.append(Finding("soak-errors", Verdict.PASS, f"all {requests} requests were answered"))
    third = max(1, len(windows) // 3)
    first = _middle([window.tpot_p50_ms for window in windows[:third]])
    last = _middle([window.tpot_p50_ms for window in windows[-third:]])
    what = f"time per token {first:.2f} ms at the beginning, {last:.2f} ms at the end"
    ratio = last / first if first else 0.0
    verdict = (
        Verdict.UNKNOWN
        if not first or not last
        else Verdict.FAILURE
        if ratio > _MUCH_SLOWER
        else Verdict.WARNING
        if ratio > _SLOWER
        else Verdict.PASS
    )
    remedy = "" if verdict is Verdict.PASS else "lingctl status; npu-smi info: heat, other users of the cards"
    findings.append(Finding("soak-speed", verdict, what, remedy=remedy))
    return [*findings, *_of_memory(windows)]


def _of_memory(windows: Sequence[SoakWindow]) -> list[Finding]:
    # The first window still fills caches.
    seen = [window.memory for window in windows[1:] or windows]
    cards = seen[0].keys() if seen else ()
    if not cards or any(memory.keys() != cards for memory in seen):
        return [Finding("soak-memory", Verdict.UNKNOWN, "the cards' memory could not be read all the time")]
    fuller = [card for card in cards if seen[-1][card] > _FULLER * seen[0][card]]
    if not fuller:
        return [Finding("soak-memory", Verdict.PASS, "no card's memory grew")]
    return [
        Finding(
            "soak-memory",
            Verdict.WARNING,
            f"{card}: {seen[0][card]} MB at the beginning, {seen[-1][card]} MB at the end",
            remedy="a longer soak shows whether it goes on: --soak",
        )
        for card in fuller
    ]


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0
