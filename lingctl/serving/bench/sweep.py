"""Finding the highest concurrency that keeps the limits: doubling until one breaks, then halving in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lingctl.serving.bench.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SweepLimits:
    """What a service must keep, in milliseconds at the 90th percentile; None for no limit."""

    ttft: float | None = None
    tpot: float | None = None

    def broken_by(self, metrics: Metrics) -> str:
        """Which limit is broken, in words; empty for none. Failed requests break every limit."""
        if metrics.failed:
            kinds = ", ".join(f"{count} {kind}" for kind, count in metrics.errors.items())
            return f"requests failed: {kinds}"
        if self.ttft is not None and metrics.ttft.p90 > self.ttft:
            return f"TTFT p90 {metrics.ttft.p90:.0f} ms"
        if self.tpot is not None and metrics.tpot.p90 > self.tpot:
            return f"TPOT p90 {metrics.tpot.p90:.1f} ms"
        return ""


NO_LIMITS = SweepLimits()


@dataclass(frozen=True, slots=True)
class Trial:
    """One concurrency that was tried; ``broken`` names the limit it broke."""

    concurrency: int
    metrics: Metrics
    broken: str


def sweep(run: Callable[[int], Metrics], limits: SweepLimits, most: int) -> list[Trial]:
    """Try concurrencies from 1 to ``most``; the trials in the order of concurrency."""
    tried: dict[int, Trial] = {}

    def attempt(concurrency: int) -> Trial:
        metrics = run(concurrency)
        tried[concurrency] = Trial(concurrency, metrics, limits.broken_by(metrics))
        return tried[concurrency]

    low, high = 0, 1
    while not attempt(high).broken:
        low = high
        if high >= most:
            return _ordered(tried)
        high = min(2 * high, most)
    # A sixteenth is as near as one run's noise lets one tell.
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if attempt(middle).broken else (middle, high)
    return _ordered(tried)


def best(trials: Sequence[Trial]) -> Trial | None:
    """The highest concurrency below the first that broke a limit; None if even 1 did."""
    kept = None
    for trial in trials:
        if trial.broken:
            break
        kept = trial
    return kept


def _ordered(tried: dict[int, Trial]) -> list[Trial]:
    return [tried[concurrency] for concurrency in sorted(tried)]
