"""What a client wants, after all checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lingctl.sandbox.engine.model.sampling import Sampling

# Seconds that stand for no limit of the client's own.
NO_TIMEOUT = 65535


@dataclass(slots=True)
class Wish:
    """One request for text."""

    request_id: str  # the server's own number of the request
    tokens: list[int] = field(default_factory=list)  # the prompt's token ids
    text: str = ""  # the prompt as text; of a conversation, its messages as JSON
    stream: bool = False
    limit: int = 20  # most new tokens
    seed: int = 0  # the client's, or the one that was drawn
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: list[str] | None = None  # strings that end the answer, None where the client named none
    stop_ids: list[int] | None = None  # token ids that end it
    include_stop: bool = False  # whether what ended it is part of the answer
    n: int | None = None
    best_of: int | None = None
    count: int = 1  # sequences to generate and to return
    beam: bool = False  # whether by beam search
    # alternatives to tell of with each token, None for no log probabilities at all
    logprobs: int | None = None
    skip_special: bool = True  # whether special tokens are left out of the text
    ignore_eos: bool = False
    details: bool = False
    decoder_input_details: bool = False
    return_full_text: bool = False
    truncate: int = 0
    timeout: int = NO_TIMEOUT  # seconds that the client grants
    user_id: str | None = None  # the client's name of a Triton request
    output_name: str = ""
    thinking: bool | None = None
    tools: list[Any] | None = None
    step: str = ""  # what is being checked, a key of request_log.STEPS, empty for what has none

    @property
    def stops(self) -> bool:
        """Whether something but the end token ends the answer."""
        return bool(self.stop) or bool(self.stop_ids)

    def sampling(self, number: int = 0) -> Sampling:
        """How the tokens of one of the sequences are chosen.

        The real server's sampler was not seen; on its own paths it draws only if it is told to (documents).
        """
        named = self.temperature is not None or self.top_p is not None or self.top_k is not None
        temperature = self.temperature if self.temperature is not None else 1.0 if named else 0.0
        if self.do_sample is False or self.beam:
            temperature = 0.0
        return Sampling(
            temperature=temperature,
            top_k=self.top_k or -1,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed + number,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            first_rank=number if self.beam else 0,
            alternatives=self.logprobs or 0,
        )
