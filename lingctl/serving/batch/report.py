"""What a batch came to: as data, as rows of a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from lingctl.serving.batch.asking import BatchCounts

AMOUNT_COLUMNS = ("", " ")
TROUBLE_COLUMNS = ("not answered", "requests", "first", "what the service said")


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a batch came to."""

    url: str  # base URL of the service
    model: str  # name that was asked for, where bodies name none
    requests: int  # of the input
    before: int  # of these, those that were answered before
    answered: int  # in all
    output: str
    errors: str = ""  # file of those that were not answered; empty where there are none
    seconds: float = 0.0  # of this run
    counts: BatchCounts = field(default_factory=BatchCounts)  # of this run

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        return self.requests - self.answered

    @property
    def exit_status(self) -> int:
        """0 all requests answered, 3 some, 1 none."""
        if not self.failed:
            return 0
        return 3 if self.answered else 1

    @property
    def tokens_per_second(self) -> float | None:
        """Generated tokens per second of this run; None where none were counted."""
        return (
            self.counts.output_tokens / self.seconds if self.counts.output_tokens and self.seconds else None
        )

    def amounts(self) -> list[tuple[str, str]]:
        """Rows of figures."""
        rate, run = self.tokens_per_second, self.answered - self.before
        rows = [("requests", f"{self.requests:,}"), ("answered", f"{self.answered:,}")]
        if self.before:
            rows.append(("of these before", f"{self.before:,}"))
        rows += [("not answered", f"{self.failed:,}"), ("asked again", f"{self.counts.retries:,}")]
        if run:
            rows.append(("time", f"{self.seconds:.1f} s"))
            rows.append(("requests/s", f"{run / self.seconds:.2f}" if self.seconds else "-"))
        if rate is not None:
            rows.append(("input tokens", f"{self.counts.prompt_tokens:,}"))
            rows.append(("output tokens", f"{self.counts.output_tokens:,}"))
            rows.append(("output tokens/s", f"{rate:.1f}"))
        return rows

    def trouble_rows(self) -> list[tuple[str, int, str, str]]:
        """Rows of what was not answered, the most frequent first."""
        told = sorted(self.counts.troubles.items(), key=lambda item: -item[1][0])
        return [(kind, count, name, text) for kind, (count, name, text) in told]

    def notes(self) -> list[str]:
        """What a reader must know."""
        notes = [f"answers: {self.output}"] if self.answered else []
        if self.counts.uncounted:
            notes.append(f"the service counted no tokens in {self.counts.uncounted:,} answers")
        if self.failed:
            notes.append(f"not answered: {self.errors}; the same command again asks these again")
        return notes

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        troubles = [
            {"kind": kind, "requests": count, "first": name, "text": text}
            for kind, count, name, text in self.trouble_rows()
        ]
        return {
            "url": self.url,
            "model": self.model,
            "requests": self.requests,
            "answered": self.answered,
            "answered_before": self.before,
            "not_answered": self.failed,
            "retries": self.counts.retries,
            "seconds": round(self.seconds, 3),
            "prompt_tokens": self.counts.prompt_tokens,
            "output_tokens": self.counts.output_tokens,
            "tokens_per_second": self.tokens_per_second,
            "answers_without_counts": self.counts.uncounted,
            "output": self.output,
            "errors": self.errors or None,
            "troubles": troubles,
        }
