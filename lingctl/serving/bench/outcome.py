"""What became of one request of a load."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestOutcome:
    """One request, answered or not. Times are seconds of ``time.perf_counter``."""

    index: int  # its number in the load
    due_at: float = 0.0  # when it was to be sent
    sent_at: float = 0.0  # when it was handed over, before a connection was made if one was needed
    # arrivals of the events that held tokens: of the answer, of what a model thinks before it, of a call of a
    # function
    token_at: array[float] = field(default_factory=lambda: array("d"))
    # arrival of the first event that held the answer's own text, or a call; 0 if none did
    answer_at: float = 0.0
    inline_thoughts: bool = False  # whether the thoughts stood in the text of the answer, between tags
    # arrival of the event that said that generation ended, 0 if none did. It stands for the end-of-text
    # token, which the service counts and which has no text.
    finished_at: float = 0.0
    ended_at: float = 0.0  # arrival of the last byte, or the moment it was given up
    prompt_tokens: int = 0  # as the service counts, 0 if it does not
    output_tokens: int = 0  # as the service counts, else the number of events with tokens
    counted: bool = False  # whether the counts are the service's
    by_tokenizer: bool = False  # whether a tokenizer counted them instead
    pieces: list[str] = field(default_factory=list)  # the tokens' text, where it is kept for that
    error: str = ""  # its kind, empty for none: ``refused``, ``timeout``, ``http-422``, ``truncated`` ...
    error_text: str = ""  # the error in words

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
