"""/v1/chat/completions."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.sandbox.engine.api.forms.form import Document, event
from lingctl.sandbox.engine.api.forms.openai import OpenAi, optional, reason
from lingctl.sandbox.engine.api.transcript import Line, Moment
from lingctl.sandbox.engine.model.sampling import Choice


class Chat(OpenAi):
    """A chat."""

    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"
    usage_first = True
    skips_silence = True

    def first(self) -> Iterator[str]:
        """Each sequence's role."""
        for index in range(self._wish.count):
            delta = {"role": "assistant", "content": ""}
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
            yield event({**self._head(self.chunk_kind), "choices": [choice]})

    def choice(self, index: int, line: Line) -> Document:
        """A message."""
        message = {"role": "assistant", "content": line.full, "tool_calls": []}
        logprobs = self._logprobs(line.choices)
        return {
            "index": index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": reason(line.finish),
        }

    def delta(self, index: int, moment: Moment, finish: str) -> Document:
        """A piece of a message."""
        line = self._transcript.lines[index]
        delta = {"role": "assistant", "content": moment.piece}
        logprobs = self._logprobs(line.choices[moment.start : moment.start + 1])
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": optional(finish)}

    def beam_delta(self, index: int, line: Line) -> Document:
        """A message of beam search."""
        delta = {"role": "assistant", "reasoning_content": "", "content": line.full}
        logprobs = self._logprobs(line.choices)
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": optional(line.finish)}

    def _logprobs(self, choices: list[Choice]) -> Document | None:
        if self._wish.logprobs is None:
            return None
        content = []
        for choice in choices:
            best = [self._told(token, logprob, special=True) for token, logprob in choice.best]
            told = self._told(choice.token, choice.logprob, special=not self._wish.skip_special)
            content.append({**told, "top_logprobs": best})
        return {"content": content}

    def _told(self, token: int, logprob: float, *, special: bool) -> Document:
        text = self._token_text(token, special=special)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
