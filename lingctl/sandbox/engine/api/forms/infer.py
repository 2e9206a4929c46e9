"""MindIE's own /infer and /infer_token."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.sandbox.engine.api.forms.form import Document, Form, event
from lingctl.sandbox.engine.api.transcript import Frame, Line
from lingctl.sandbox.engine.requests.rounds import Round


class Infer(Form):
    """Text; the last token of a stream has none of its own, only the whole (seen on the real 3.0.0)."""

    _first = True

    def whole(self) -> Document:
        """The generated text, and how it ended if details were asked for."""
        line = self._transcript.lines[0]
        answer: Document = {"generated_text": line.full}
        if self._wish.details:
            details = self._details(line)
            ids = {"generated_token_ids": line.ids}
            answer["details"] = {
                "finish_reason": details["finish_reason"],
                "generated_tokens": details["generated_tokens"],
                **ids,
                "seed": details["seed"],
            }
        return answer

    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """One token; with the last one all the text."""
        moment, line = frame.moments[0], self._transcript.lines[0]
        times: Document = {"prefill_time": None, "decode_time": taken.millis}
        if self._first:
            self._first = False
            times = {"prefill_time": taken.millis, "decode_time": None}
        if not taken.last:
            yield event({**times, "token": {"id": moment.ids, "text": moment.piece}})
            return
        details = self._details(line) if self._wish.details else None
        end = {"generated_text": line.full, "details": details}
        yield event({**times, **end, "token": {"id": moment.ids, "text": None}})

    def _details(self, line: Line) -> Document:
        return {
            "finish_reason": line.reason,
            "generated_tokens": len(line.choices),
            "seed": self._wish.seed,
        }
