"""What all forms of answers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from lingctl.sandbox.engine.api.transcript import Frame, Transcript
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.requests.rounds import Round
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

Document = dict[str, Any]


class Form(ABC):
    """Writes one answer.

    Args:
        service: what serves it.
        wish: what is wanted.
    """

    def __init__(self, service: Service, wish: Wish) -> None:
        self._service, self._wish = service, wish
        self._transcript = Transcript(wish, service.text, cumulative=service.full_text)
        self._rounds: list[Round] = []

    def note(self, taken: Round) -> None:
        """A round of an answer that is sent whole."""
        self._rounds.append(taken)
        self._transcript.note(taken)

    @abstractmethod
    def whole(self) -> Any:
        """The document of an answer that is sent whole."""

    def stream(self, taken: Round) -> Iterator[str]:
        """The chunks that a round of a stream leaves."""
        frames, silent = self._transcript.show(taken)
        for frame in frames:
            yield from self.frame(frame, silent, taken)

    @abstractmethod
    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """The chunks of one frame.

        Args:
            frame: what to show.
            silent: sequences whose newest token completed no character.
            taken: the newest round.
        """


def event(document: Any, mark: str = "data: ") -> str:
    """A server-sent event."""
    return f"{mark}{dump(document)}\n\n"
