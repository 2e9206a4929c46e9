"""What became of one request of a load."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestOutcome:
    """One request, answered or not. Times are seconds of ``time.perf_counter``.

    Attributes:
        index: its number in the load.
        due_at: when it was to be sent.
        sent_at: when it was handed over, before a connection was made if one was needed.
        token_at: arrivals of the events that held tokens: of the answer, of what a model thinks before it, of
            a call of a function.
        answer_at: arrival of the first event that held the answer's own text, or a call; 0 if none did.
        finished_at: arrival of the event that said that generation ended, 0 if none did. It stands for the
            end-of-text token, which the service counts and which has no text.
        ended_at: arrival of the last byte, or the moment it was given up.
        prompt_tokens: as the service counts, 0 if it does not.
        output_tokens: as the service counts, else the number of events with tokens.
        counted: whether the counts are the service's.
        by_tokenizer: whether a tokenizer counted them instead.
        pieces: the tokens' text, where it is kept for that.
        error: kind of error, empty for none: ``refused``, ``timeout``, ``http-422``, ``truncated`` ...
        error_text: the error in words.
    """

    index: int
    due_at: float = 0.0
    sent_at: float = 0.0
    token_at: array[float] = field(default_factory=lambda: array("d"))
    answer_at: float = 0.0
    finished_at: float = 0.0
    ended_at: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0
    counted: bool = False
    by_tokenizer: bool = False
    pieces: list[str] = field(default_factory=list)
    error: str = ""
    error_text: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was answered in full."""
        return not self.error

    @property
    def only_thought(self) -> bool:
        """Whether it ended before the model had come to an answer."""
        return self.ok and not self.answer_at

    @property
    def last_token_at(self) -> float:
        """Arrival of the last event that stands for a token."""
        return max(self.token_at[-1], self.finished_at)

    @property
    def tpot(self) -> float | None:
        """Seconds for each token after the first; None for an answer of one token."""
        if self.output_tokens <= 1:
            return None
        return (self.last_token_at - self.token_at[0]) / (self.output_tokens - 1)
