"""The events of one answer, read as its bytes come; what is no event, or no end, is a Trouble."""

from __future__ import annotations

from collections.abc import Sequence

from lingctl.serving.faults import words_in_stream
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import Dialect, parse_event
from lingctl.serving.http.sse import MalformedStream, SseParser
from lingctl.serving.trouble import ExchangeTrouble


class EventReader:
    """Reads one stream. A Trouble is the last thing that it tells."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._parser = SseParser()
        self._finished = False  # whether an event said that generation ended, or what went wrong

    def feed(self, data: bytes) -> list[Piece | ExchangeTrouble]:
        """What the events hold that ``data`` completes."""
        try:
            return self._read(self._parser.feed(data))
        except MalformedStream as error:
            found = self._read(error.before)
            if not any(isinstance(piece, ExchangeTrouble) for piece in found):
                found.append(ExchangeTrouble("malformed", str(error)))
            return found

    def end(self) -> list[Piece | ExchangeTrouble]:
        """What is left of a stream whose connection told of its proper end; a Trouble if that is no end.

        Most have ``[DONE]`` behind the event that ends generation; some services leave it out.
        """
        if trouble := self.last_words():
            return [trouble]
        try:
            found = self._read(self._parser.close())
        except MalformedStream as error:
            return [ExchangeTrouble("closed", str(error))]
        # Some never say why it ended (finish_reason), and only that it did.
        if not (self._finished or self._parser.done):
            found.append(
                ExchangeTrouble("closed", "the stream ends before an event said that generation did")
            )
        return found

    def last_words(self) -> ExchangeTrouble | None:
        """What the service still said in the place of an event; more than that the connection ended."""
        words = self._parser.words()
        return words_in_stream(words) if words else None

    def _read(self, payloads: Sequence[bytes]) -> list[Piece | ExchangeTrouble]:
        found: list[Piece | ExchangeTrouble] = []
        for payload in payloads:
            piece = parse_event(self._dialect, payload)
            found.append(piece)
            if isinstance(piece, ExchangeTrouble):
                self._finished = True
                break
            if piece.last:
                self._finished = True
        return found
