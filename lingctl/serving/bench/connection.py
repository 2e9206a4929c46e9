"""One connection of the load generator: a request out, events in, each stamped the moment it is read."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field

from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.endpoint import Address
from lingctl.serving.faults import fault_of
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import Dialect, no_stream
from lingctl.serving.http.events import EventReader
from lingctl.serving.http.exchange import HostPort
from lingctl.serving.http.thoughts import thinking_for
from lingctl.serving.http.wire import ResponseReader, WireError, request_bytes
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

_now = time.perf_counter
_LONGEST_ERROR = 65536
_NO_STREAM = (b"{", b"<")  # how JSON and pages begin
# What is told by its meaning: the same status, or a place in a stream, may mean several things.
_TOLD_BY_FAULT = ("timeout", "tokenizers", "busy", "stopping")


def error_kind(trouble: ExchangeTrouble) -> str:
    """The name under which a failed request is counted."""
    fault = fault_of(trouble)
    if fault in _TOLD_BY_FAULT:
        return fault
    if trouble.kind == "http":
        return f"http-{trouble.status}" if trouble.status else "error-in-stream"
    return "truncated" if trouble.kind == "closed" else trouble.kind


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to send."""

    address: Address  # of the service; gives Host header and certificate name
    place: HostPort  # what to connect to, already resolved
    dialect: Dialect  # how to ask
    key: str = field(default="", repr=False)  # bearer token, or empty
    tls: ssl.SSLContext | None = None  # context for HTTPS, or None
    path: str = ""  # where to post, if not at the dialect's usual path
    keeps_text: bool = False  # whether the text of answers is kept, for a tokenizer to count

    def wire_request(self, body: dict[str, object]) -> bytes:
        """The bytes of a request."""
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers = {"Accept": "text/event-stream", **key}
        return request_bytes(self.address, "POST", self.path or self.dialect.path, headers, body)


class StreamConnection(asyncio.BufferedProtocol):
    """Carries one request at a time; may be used again after a clean end.

    Bytes are stamped when they are read and understood a turn of the loop later: when many answers move at
    once, none waits for the others' JSON before it gets its time. All connections read into one buffer, which
    is emptied before the next one reads; an asyncio.Protocol would be given 256 KiB of new memory each time.
    """

    _buffer = memoryview(bytearray(1 << 16))

    def __init__(self, dialect: Dialect, *, keeps_text: bool = False) -> None:
        self._dialect = dialect
        self._keeps_text = keeps_text
        self._loop = asyncio.get_running_loop()
        self._unread: list[tuple[float, bytes]] = []
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._ended: asyncio.Future[None] | None = None
        self.used = False  # whether it has carried a request
        self._begin(RequestOutcome(-1))

    def _begin(self, outcome: RequestOutcome) -> None:
        """Nothing is known of an answer yet."""
        self._outcome = outcome
        self._reader = ResponseReader()
        self._events = EventReader(self._dialect)
        self._thinking = thinking_for(self._dialect)
        self._told = 0
        self._heard = self._plain = False  # whether a body came, and whether it is none of events
        self._error_body = b""
        self._heard_at = self.went_on_at = _now()

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._closed and self._ended is None

    def send(self, request: bytes, outcome: RequestOutcome) -> asyncio.Future[None]:
        """Send a request; the future is done when ``outcome`` is."""
        assert self._transport is not None
        self.used = True
        self._begin(outcome)
        self._ended = ended = self._loop.create_future()
        self._transport.write(request)
        return ended

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.BaseProtocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        """See asyncio.BufferedProtocol."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio.BufferedProtocol."""
        at = _now()
        self._heard_at = at
        if not self._unread:
            self._loop.call_soon(self._read)
        self._unread.append((at, bytes(self._buffer[:nbytes])))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.BaseProtocol."""
        self._closed = True
        self._read()
        if self._ended is None:
            return
        if self._reader.end():
            self._conclude()
        elif self._reader.status == 200 and (trouble := self._events.last_words()):
            self._fail(trouble)
        else:
            self.end("closed", str(exc or "the connection was closed inside the answer"))

    def _read(self) -> None:
        """Understand what has come; bytes that belong to no request end the connection."""
        unread, self._unread = self._unread, []
        for at, data in unread:
            if self._ended is None:
                self.close()
                return
            try:
                headed = self._reader.status
                body = self._reader.feed(data)
                # Bytes that are no part of the answer do not keep it alive.
                if body or self._reader.status != headed:
                    self.went_on_at = at
                if body:
                    self._take(body, at)
            except WireError as error:
                self.end("malformed", str(error))
                return
            if self._reader.complete and self._ended is not None:
                self._conclude()

    def _take(self, packed: bytes, at: float) -> None:
        for body in self._reader.unpacked(packed):
            self._plain = self._plain or (not self._heard and body.lstrip()[:1] in _NO_STREAM)
            self._heard = True
            if self._reader.status != 200 or self._plain:
                # Enough for the service's own words.
                self._error_body = (self._error_body + body)[:_LONGEST_ERROR]
                continue
            for piece in self._events.feed(body):
                if not self._understand(piece, at):
                    return

    def _understand(self, piece: Piece | ExchangeTrouble, at: float) -> bool:
        """Note what an event brings; False if it ended the request."""
        if isinstance(piece, ExchangeTrouble):
            self._fail(piece)
            return False
        outcome = self._outcome
        # In /infer the last token's text comes in the whole of the last event only.
        late = piece.whole[self._told :] if piece.whole else ""
        if piece.has_tokens or late:
            outcome.token_at.append(at)
        if self._keeps_text:
            outcome.pieces += [piece.reasoning, piece.text or late, piece.tool_call]
        self._told += len(piece.text)
        self._answered(self._thinking.tell(piece), at, late)
        if piece.usage:
            outcome.prompt_tokens, outcome.output_tokens = piece.usage.prompt or 0, piece.usage.completion
            outcome.counted = True
        if piece.last:
            outcome.finished_at = at
        return True

    def _answered(self, piece: Piece, at: float, late: str = "") -> None:
        """Note when the answer itself began, which may be known later only."""
        outcome = self._outcome
        if piece.afresh:
            outcome.answer_at = 0.0 if piece.reasoning else outcome.token_at[0]
        if (piece.text or piece.tool_call or late) and not outcome.answer_at:
            outcome.answer_at = at
        outcome.inline_thoughts = piece.inline or (outcome.inline_thoughts and not piece.afresh)

    def _conclude(self) -> None:
        if self._reader.status != 200:
            self._fail(http_trouble(self._reader.status, self._error_body, self._reader.headers), keep=True)
            return
        if self._plain:
            self._fail(no_stream(self._reader.headers.get("content-type", ""), self._error_body), keep=True)
            return
        at = self._heard_at
        if not all(self._understand(piece, at) for piece in self._events.end()):
            return
        self._answered(self._thinking.end(), at)
        if not self._outcome.token_at:
            self.end("no-text", "the stream holds no text")
        else:
            self.end(keep=True)

    def _fail(self, trouble: ExchangeTrouble, *, keep: bool = False) -> None:
        self.end(error_kind(trouble), str(trouble) if trouble.status else trouble.text, keep=keep)

    def end(self, error: str = "", text: str = "", *, keep: bool = False) -> None:
        """End the request under way, and the connection with it where it is not to be kept."""
        outcome, ended = self._outcome, self._ended
        if ended is None:
            return
        outcome.error, outcome.error_text, outcome.ended_at = error, text, self._heard_at
        if not outcome.counted:
            outcome.output_tokens = len(outcome.token_at)
        self._ended = None
        if not keep or not self._reader.may_reuse:
            self.close()
        if not ended.done():
            ended.set_result(None)
