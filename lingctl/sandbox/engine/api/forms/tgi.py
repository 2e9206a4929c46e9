"""Text Generation Inference's /generate, /generate_stream and POST /."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lingctl.sandbox.engine.api.forms.form import Document, Form, event
from lingctl.sandbox.engine.api.transcript import Frame
from lingctl.sandbox.engine.requests.rounds import Round


class Tgi(Form):
    """The generated text."""

    def whole(self) -> Any:
        """One document."""
        line = self._transcript.lines[0]
        if not self._wish.details and not self._wish.decoder_input_details:
            return {"generated_text": line.full}
        prompt = self._wish.tokens if self._wish.decoder_input_details else []
        details = {
            "prompt_tokens": len(self._wish.tokens),
            "finish_reason": line.reason,
            "generated_tokens": len(line.choices),
            "prefill": [_token(token) for token in prompt],
            "seed": self._wish.seed,
            "tokens": [_token(token) for token in line.ids],
        }
        return {"details": details, "generated_text": line.full}

    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """One token; the last has all the text as well."""
        moment = frame.moments[0]
        token = {"id": moment.ids, "text": moment.piece, "logprob": None, "special": None}
        answer: Document = {"token": token, "generated_text": None, "details": None}
        if frame.finishes[0]:
            line = self._transcript.lines[0]
            answer["generated_text"] = moment.full
            if self._wish.details:
                answer["details"] = {
                    "prompt_tokens": len(self._wish.tokens),
                    "finish_reason": line.reason,
                    "generated_tokens": moment.count,
                    "seed": self._wish.seed,
                }
        yield event(answer)


class TgiList(Tgi):
    """POST /, whose answer is a list unless it is a stream."""

    def whole(self) -> Any:
        """A list of one document."""
        return [super().whole()]


def _token(number: int) -> Document:
    return {"id": number, "logprob": None, "special": None, "text": None}
