"""Triton's /v2/models/{m}/generate, /generate_stream and /infer."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.sandbox.engine.api.forms.form import Document, Form, event
from lingctl.sandbox.engine.api.transcript import Frame
from lingctl.sandbox.engine.requests.rounds import Round


class Triton(Form):
    """Text."""

    _first = True

    def whole(self) -> Document:
        """text_output, and details if asked for."""
        line = self._transcript.lines[0]
        answer = self._head(line.full)
        if self._wish.details:
            answer["details"] = {
                **self._details(line.reason, len(line.choices)),
                "batch_size": [taken.batch for taken in self._rounds],
                "queue_wait_time": [taken.micros for taken in self._rounds],
            }
        return answer

    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """One piece of text; the mark has no blank here."""
        moment, line = frame.moments[0], self._transcript.lines[0]
        answer = self._head(moment.piece)
        if self._wish.details:
            reason = line.reason if line.finish else ""
            told = {"batch_size": taken.batch, "queue_wait_time": taken.micros}
            answer["details"] = {**self._details(reason, moment.count), **told}
            answer["prefill_time"] = taken.millis if self._first else None
            answer["decode_time"] = None if self._first else taken.millis
        self._first = False
        yield event(answer, "data:")

    def _head(self, text: str) -> Document:
        name = self._wish.user_id or self._wish.request_id
        return {
            "id": name,
            "model_name": self._service.name,
            "model_version": None,
            "text_output": text,
        }

    def _details(self, reason: str, count: int) -> Document:
        finish = {"finish_reason": reason} if reason else {}
        return {**finish, "generated_tokens": count, "first_token_cost": None, "decode_cost": None}


class Tensors(Form):
    """Token ids, never streamed."""

    def whole(self) -> Document:
        """One output tensor."""
        ids = self._transcript.lines[0].ids
        tensor = {
            "name": self._wish.output_name,
            "shape": [1, len(ids)],
            "datatype": "UINT32",
            "data": ids,
        }
        return {"id": self._wish.user_id or self._wish.request_id, "outputs": [tensor]}

    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """There are no streams of tensors."""
        yield from ()
