"""Server-sent events: read as their standard says, while what is no event is reported and never skipped.

A line ends at LF, CR or CRLF, an event at an empty line; comments and empty data keep a connection alive.
MindIE sends ``data: {json}`` followed by an empty line, and on Triton paths ``data:{json}`` without the
space (3.0.0: seen). Gateways and other engines leave out the empty line behind ``[DONE]``, or put blanks
there. Source: WHATWG HTML, "Server-sent events".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

DONE = b"[DONE]"
# MindIE's last event holds the whole text: some hundred kilobytes at most.
LARGEST_EVENT = 4 << 20
# What each line of an event takes beside its bytes: a service may send empty ones for ever.
_EACH_HELD = 64
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A field that is not known is passed over; what has another form are words, such as MindIE's
# "Engine callback timeout: ...".
_FIELD = re.compile(rb"(?!(?:https?|error|warning|fatal|exception):)[a-z][a-z_-]{0,31}:")
_BARE_FIELDS = (b"data", b"event", b"id", b"retry")


class MalformedStream(ValueError):
    """Bytes that are not server-sent events; ``before`` are the payloads of those that stood before them."""

    before: Sequence[bytes] = ()


@dataclass(slots=True)
class SseParser:
    """Incremental parser: feed bytes as they arrive, get the payload of each complete event."""

    done: bool = False  # whether ``[DONE]`` was seen; no event may follow it
    # The line that has not ended. It only grows: one that comes byte by byte costs no more than at once.
    _rest: bytearray = field(default_factory=bytearray)
    _data: list[bytes] = field(default_factory=list)
    _held: int = 0
    _begun: bool = False

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads of the events that ``data`` completes, without ``[DONE]`` and without empty ones.

        Raises:
            MalformedStream: a line has no field, an event follows ``[DONE]`` or does not end.
        """
        if not self._begun:
            data = bytes(self._rest) + data
            if _BYTE_ORDER_MARK.startswith(data):
                self._rest = bytearray(data)
                return []
            data, self._rest, self._begun = data.removeprefix(_BYTE_ORDER_MARK), bytearray(), True
        if self._rest.endswith(b"\r"):
            data = b"\r" + data
            del self._rest[-1]
        if b"\r" in data:
            data = _unix_lines(data)
        payloads: list[bytes] = []
        first, *others = data.split(b"\n")
        self._rest += first
        try:
            for piece in others:
                line, self._rest = bytes(self._rest), bytearray(piece)
                self._take(line, payloads)
            if self._held + len(self._rest) > LARGEST_EVENT:
                start = self._data[0] if self._data else bytes(self._rest[:200])
                raise MalformedStream(f"an event of more than {LARGEST_EVENT} bytes: {_quote(start)}")
        except MalformedStream as error:
            error.before = payloads
            raise
        return payloads

    def words(self) -> str:
        """Plain text at the end, in the place of an event; empty for none. MindIE tells a time-out so."""
        line = bytes(self._rest.strip())
        torn = line.startswith((b"data:", b":")) or any(one.startswith(line) for one in _BARE_FIELDS)
        return "" if not line or torn or _FIELD.match(line) else line.decode("utf-8", "replace")

    def close(self) -> list[bytes]:
        """The stream is over; the payload of an event that lacks only its empty line.

        Raises:
            MalformedStream: it ended inside an event.
        """
        rest, self._rest = bytes(self._rest.strip()), bytearray()
        payloads: list[bytes] = []
        if rest and not rest.startswith(b":"):
            if not rest.startswith(b"data:") or not _looks_whole(rest[5:].strip()):
                raise MalformedStream(f"the stream ends inside an event: {_quote(rest)}")
            self._take(rest, payloads)
        self._end_event(payloads)
        return payloads

    def _take(self, line: bytes, payloads: list[bytes]) -> None:
        if line.startswith(b"data:"):
            data = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(data)
            self._held += len(data) + _EACH_HELD
            if data.strip() == DONE:
                # It ends the stream, whether or not an empty line comes behind it.
                self._end_event(payloads)
        elif not line:
            self._end_event(payloads)
        elif not line.startswith(b":") and not _FIELD.match(line) and line not in _BARE_FIELDS:
            raise MalformedStream(f"a line that is no event field: {_quote(line)}")

    def _end_event(self, payloads: list[bytes]) -> None:
        if not self._data:
            return
        payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data, self._held = [], 0
        said = payload.strip()
        if not said:
            return
        if self.done and said != DONE:
            raise MalformedStream(f"an event after [DONE]: {_quote(payload)}")
        if said == DONE:
            self.done = True
        else:
            payloads.append(payload)


def _looks_whole(payload: bytes) -> bool:
    return payload == DONE or (payload.startswith(b"{") and payload.endswith(b"}"))


def _unix_lines(data: bytes) -> bytes:
    # A carriage return at the very end may be half of a CRLF: it stays until the rest arrives.
    held = data.endswith(b"\r")
    body = data[:-1] if held else data
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + (b"\r" if held else b"")


def _quote(data: bytes) -> str:
    return repr(data[:120].decode("utf-8", "replace"))
