"""/v1/completions."""

from __future__ import annotations

from lingctl.sandbox.engine.api.forms.form import Document
from lingctl.sandbox.engine.api.forms.openai import OpenAi, optional, reason
from lingctl.sandbox.engine.api.transcript import Line, Moment
from lingctl.sandbox.engine.model.sampling import Choice


class Completion(OpenAi):
    """A completion."""

    kind = chunk_kind = "text_completion"
    usage_first = False

    def choice(self, index: int, line: Line) -> Document:
        """A whole text."""
        return self._one(index, line.full, line.choices, reason(line.finish))

    def delta(self, index: int, moment: Moment, finish: str) -> Document:
        """A piece of a text."""
        choices = self._transcript.lines[index].choices[moment.start : moment.start + 1]
        return self._one(index, moment.piece, choices, optional(finish))

    def beam_delta(self, index: int, line: Line) -> Document:
        """A whole text of beam search."""
        return self.choice(index, line)

    def _one(self, index: int, text: str, choices: list[Choice], finish: str | None) -> Document:
        return {
            "index": index,
            "text": text,
            "logprobs": self._logprobs(choices),
            "stop_reason": None,
            "finish_reason": finish,
        }

    def _logprobs(self, choices: list[Choice]) -> Document | None:
        if self._wish.logprobs is None:
            return None
        special = not self._wish.skip_special
        texts = [self._token_text(choice.token, special=special) for choice in choices]
        offsets, tops = [], []
        for choice, text in zip(choices, texts, strict=True):
            offsets.append(self._offset)
            self._offset += len(text.encode())
            top = {text: choice.logprob}
            for token, logprob in choice.best:
                top.setdefault(self._token_text(token), logprob)
            tops.append(top)
        return {
            "text_offset": offsets,
            "token_logprobs": [choice.logprob for choice in choices],
            "tokens": texts,
            "top_logprobs": tops,
        }
