"""What a request must keep to count as a good one: the goal of ``--goodput``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from lingctl.errors import UsageError
from lingctl.serving.bench.outcome import RequestOutcome


@dataclass(frozen=True, slots=True)
class Goal:
    """What a request must keep to be a good one, in milliseconds; None for no such limit.

    Source of the idea and its words: DistServe's goodput, as vLLM's ``bench serve --goodput`` measures it.
    """

    ttft: float | None = None
    tpot: float | None = None
    e2el: float | None = None

    def kept_by(self, outcome: RequestOutcome) -> bool:
        """Whether an answered request kept all limits."""
        tpot = outcome.tpot
        times = (
            (self.ttft, outcome.token_at[0] - outcome.sent_at),
            (self.tpot, 0.0 if tpot is None else tpot),
            (self.e2el, outcome.last_token_at - outcome.sent_at),
        )
        return all(limit is None or 1000 * seconds <= limit for limit, seconds in times)


NO_GOAL = Goal()


def read_goal(words: Sequence[str]) -> Goal:
    """A goal of words such as ``ttft:500`` and ``tpot:50``, several in one word parted by blanks or commas.

    Raises:
        UsageError: one is not of that form, or names another time.
    """
    names = [field.name for field in fields(Goal)]
    limits: dict[str, float] = {}
    for word in " ".join(words).replace(",", " ").split():
        name, _, number = word.partition(":")
        try:
            limit = float(number)
        except ValueError:
            limit = 0.0
        if name not in names or not 0 < limit < float("inf"):
            raise UsageError(
                f"--goodput {word}: not one of {', '.join(names)} with a limit in milliseconds",
                code="goodput",
            )
        limits[name] = limit
    return Goal(**limits)
