"""From outcomes to numbers, by the definitions that vLLM's and AISBench's load tests use. Pure.

TTFT: from sending a request to its first event with tokens of any kind: of the answer, or of what a reasoning
model thinks before it. First answer token: to the first event with the answer's own text, or with a call of a
function. TPOT: (end-to-end - TTFT) / (output tokens - 1).
ITL: gaps between events with tokens. End-to-end: from sending to the last event that stands for a token: the
last with tokens, or the one that ends generation, which stands for the end-of-text token. Percentiles
interpolate linearly. Rates divide by the time from the first request sent to the last answer's end.
Concurrency: the sum of all end-to-end times, divided by that time.
Source: vllm/benchmarks of vLLM, AISBench's description of its results. Where they let an event without text
(a role alone) count as the first token, this does not, as AIPerf does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from lingctl.serving.bench.goal import NO_GOAL, Goal
from lingctl.serving.bench.load import LoadResult

_BUSY_CLIENT = 0.9


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of times in milliseconds; all zero for none."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    most: float = 0.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of one load."""

    requests: int  # sent in all
    completed: int  # answered in full
    errors: dict[str, int]  # number of failed requests by kind
    seconds: float  # from the first request sent to the last answer's end
    input_tokens: int
    output_tokens: int
    counted: bool  # whether all token counts are the service's own
    by_tokenizer: bool  # whether a tokenizer made the others; else events with tokens are counted
    ttft: Distribution
    answer: Distribution  # time to the first token of the answer itself, of those that came to one
    only_thought: int  # answered requests that ended while the model still thought
    tpot: Distribution
    itl: Distribution
    end_to_end: Distribution
    lag: Distribution  # how late requests were sent (open loop), the client's own doing
    client_busy: float  # share of one processor that the client used; near 1 it measures itself
    concurrency: float  # requests open at a time, on average
    good: int | None = None  # answered requests that kept the goal; None where there is none

    @property
    def failed(self) -> int:
        """Requests without a full answer."""
        return self.requests - self.completed

    @property
    def request_rate(self) -> float:
        """Full answers per second."""
        return self._per_second(self.completed)

    @property
    def input_rate(self) -> float:
        """Input tokens per second."""
        return self._per_second(self.input_tokens)

    @property
    def output_rate(self) -> float:
        """Output tokens per second."""
        return self._per_second(self.output_tokens)

    @property
    def goodput(self) -> float | None:
        """Good requests per second; None where no goal was set."""
        return None if self.good is None else self._per_second(self.good)

    @property
    def measures_itself(self) -> bool:
        """Whether the client was so busy that its own delays are in the numbers."""
        return self.client_busy > _BUSY_CLIENT

    @property
    def total_rate(self) -> float:
        """Input and output tokens per second."""
        return self._per_second(self.input_tokens + self.output_tokens)

    def as_json(self) -> dict[str, object]:
        """Plain data; times in milliseconds, rates per second."""
        return {
            **asdict(self),
            "failed": self.failed,
            "requests_per_second": self.request_rate,
            "input_tokens_per_second": self.input_rate,
            "output_tokens_per_second": self.output_rate,
            "total_tokens_per_second": self.total_rate,
            "good_requests_per_second": self.goodput,
        }

    def _per_second(self, amount: float) -> float:
        return amount / self.seconds if self.seconds > 0 else 0.0


def measure(load: LoadResult, goal: Goal = NO_GOAL) -> Metrics:
    """The numbers of a load; failed requests count as errors and in nothing else."""
    good = [outcome for outcome in load.outcomes if outcome.ok]
    started = min((outcome.sent_at for outcome in load.outcomes), default=0.0)
    ended = max((outcome.ended_at for outcome in load.outcomes), default=0.0)
    whole = [outcome.last_token_at - outcome.sent_at for outcome in good]
    return Metrics(
        requests=len(load.outcomes),
        completed=len(good),
        errors=dict(Counter(outcome.error for outcome in load.outcomes if outcome.error).most_common()),
        seconds=ended - started,
        input_tokens=sum(outcome.prompt_tokens for outcome in good),
        output_tokens=sum(outcome.output_tokens for outcome in good),
        counted=all(outcome.counted for outcome in good),
        by_tokenizer=any(outcome.by_tokenizer for outcome in good),
        ttft=distribution(outcome.token_at[0] - outcome.sent_at for outcome in good),
        answer=distribution(outcome.answer_at - outcome.sent_at for outcome in good if outcome.answer_at),
        only_thought=sum(outcome.only_thought for outcome in good),
        tpot=distribution(tpot for outcome in good if (tpot := outcome.tpot) is not None),
        itl=distribution(b - a for outcome in good for a, b in pairwise(outcome.token_at)),
        end_to_end=distribution(whole),
        lag=distribution(max(0.0, outcome.sent_at - outcome.due_at) for outcome in good),
        client_busy=load.cpu_seconds / load.wall_seconds if load.wall_seconds else 0.0,
        concurrency=sum(whole) / (ended - started) if ended > started else 0.0,
        good=None if goal == NO_GOAL else sum(goal.kept_by(outcome) for outcome in good),
    )


def distribution(seconds: Iterable[float]) -> Distribution:
    """Of times in seconds; the result is in milliseconds."""
    values = sorted(value * 1000 for value in seconds)
    if not values:
        return Distribution()
    p50, p90, p99 = (percentile(values, share) for share in (50, 90, 99))
    return Distribution(len(values), sum(values) / len(values), p50, p90, p99, values[-1])


def percentile(ordered: Sequence[float], share: float) -> float:
    """The percentile of sorted values, interpolated linearly."""
    position = (len(ordered) - 1) * share / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
