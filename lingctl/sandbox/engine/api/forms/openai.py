"""What the two OpenAI forms have in common: heads, usage, order of the sequences."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from lingctl.sandbox.engine.api.forms.form import Document, Form, event
from lingctl.sandbox.engine.api.transcript import Frame, Line, Moment
from lingctl.sandbox.engine.requests.rounds import Round
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish


class OpenAi(Form):
    """/v1/chat/completions and /v1/completions."""

    kind: ClassVar[str]
    chunk_kind: ClassVar[str]
    usage_first: ClassVar[bool]

    def __init__(self, service: Service, wish: Wish) -> None:
        super().__init__(service, wish)
        self._begun = False
        self._ended: set[int] = set()
        self._offset = 0

    def whole(self) -> Document:
        """All sequences, the likeliest first."""
        lines = self._ranked()
        choices = [self.choice(index, line) for index, line in enumerate(lines)]
        return {**self._head(self.kind), "choices": choices, "usage": self._usage(_count(lines))}

    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """One event for each sequence that has something to say."""
        if self._wish.beam:
            if taken.last:
                yield from self._beams()
            return
        if not self._begun:
            self._begun = True
            yield from self.first()
        for index in range(len(self._transcript.lines)):
            moment = frame.moments.get(index)
            if moment is None or index in self._ended:
                continue
            finish = frame.finishes[index]
            if self.skips_silence and index in silent and not finish:
                continue
            yield self._event(index, self.delta(index, moment, finish), moment, finish)
        if frame.whole:
            yield "data: [DONE]\n\n"

    def _event(self, index: int, choice: Document, moment: Moment, finish: str) -> str:
        head = self._head(self.chunk_kind)
        if not finish:
            return event({**head, "choices": [choice]})
        self._ended.add(index)
        usage = {"usage": self._usage(moment.count)}
        full = {"full_text": moment.full} if self.usage_first and self._service.full_text else {}
        if self.usage_first:
            return event({**head, **full, **usage, "choices": [choice]})
        return event({**head, "choices": [choice], **usage})

    def _beams(self) -> Iterator[str]:
        """With beam search everything comes at the end."""
        yield from self.first()
        for index, line in enumerate(self._ranked()):
            moment = Moment([], line.full, len(line.choices), 0, line.finish, line.full)
            yield self._event(index, self.beam_delta(index, line), moment, line.finish)
        yield "data: [DONE]\n\n"

    skips_silence: ClassVar[bool] = False

    def first(self) -> Iterator[str]:
        """What comes before the first text."""
        yield from ()

    @abstractmethod
    def choice(self, index: int, line: Line) -> Document:
        """A whole sequence."""

    @abstractmethod
    def delta(self, index: int, moment: Moment, finish: str) -> Document:
        """A piece of a sequence."""

    @abstractmethod
    def beam_delta(self, index: int, line: Line) -> Document:
        """A whole sequence in a stream."""

    def _ranked(self) -> list[Line]:
        lines = self._transcript.lines
        return sorted(lines, key=lambda line: -line.likelihood) if len(lines) > 1 else lines

    def _head(self, kind: str) -> Document:
        return {
            "id": self._wish.request_id,
            "object": kind,
            "created": int(time.time()),
            "model": self._service.name,
        }

    def _usage(self, answer: int) -> Document:
        prompt = len(self._wish.tokens)
        return {
            "prompt_tokens": prompt,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
        }

    def _token_text(self, token: int, *, special: bool = True) -> str:
        """One token's own text.

        Args:
            token: its id.
            special: whether a special token has a text.
        """
        text = self._service.text.decode([token], skip_special=not special)
        # A token that is no whole character has no text of its own.
        return "" if text.endswith("\ufffd") else text


def _count(lines: list[Line]) -> int:
    return sum(len(line.choices) for line in lines)


def reason(finish: str) -> str:
    """Why a sequence ended, in OpenAI's words."""
    return "length" if finish == "length" else "stop"


def optional(finish: str) -> Any:
    """The same of a piece, null while the sequence goes on."""
    return reason(finish) if finish else None
