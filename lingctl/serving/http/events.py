"""The events of one answer, read as its bytes come; what is no event, or no end, is a Trouble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

    def feed(self, data: bytes) -> Iterator[Piece | ExchangeTrouble]:
        """What the events hold that ``data`` completes."""
        try:
            payloads = self._parser.feed(data)
        except MalformedStream as error:
            yield ExchangeTrouble("malformed", str(error))
            return
        yield from self._read(payloads)

    def end(self) -> Iterator[Piece | ExchangeTrouble]:
        """What is left of a stream whose connection told of its proper end; a Trouble if that is no end.

        Most have ``[DONE]`` behind the event that ends generation; some services leave it out.
        """
        if trouble := self.last_words():
            yield trouble
            return
        try:
            payloads = self._parser.close()
        except MalformedStream as error:
            yield ExchangeTrouble("closed", str(error))
            return
        yield from self._read(payloads)
        # Some never say why it ended (finish_reason), and only that it did.
        if not (self._finished or self._parser.done):
            yield ExchangeTrouble("closed", "the stream ends before an event said that generation did")

    def last_words(self) -> ExchangeTrouble | None:
        """What the service still said in the place of an event; more than that the connection ended."""
        words = self._parser.words()
        return words_in_stream(words) if words else None

    def _read(self, payloads: Sequence[bytes]) -> Iterator[Piece | ExchangeTrouble]:
        for payload in payloads:
            piece = parse_event(self._dialect, payload)
            self._finished = self._finished or isinstance(piece, ExchangeTrouble) or piece.last
            yield piece
            if isinstance(piece, ExchangeTrouble):
                return
