"""Server-sent events, read strictly: what is not the documented form is reported, never skipped.

MindIE sends ``data: {json}`` followed by an empty line, and on Triton paths ``data:{json}`` without the
space (3.0.0: seen).
"""

from __future__ import annotations

from dataclasses import dataclass

DONE = b"[DONE]"
# MindIE's last event holds the whole text: some hundred kilobytes at most.
LARGEST_EVENT = 4 << 20
_OTHER_FIELDS = (b"event:", b"id:", b"retry:")


class MalformedStream(ValueError):
    """Bytes that are not server-sent events."""


@dataclass(slots=True)
class SseParser:
    """Incremental parser: feed bytes as they arrive, get the payload of each complete event."""

    done: bool = False  # whether ``[DONE]`` was seen; no event may follow it
    _rest: bytes = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads of the events that ``data`` completes, without ``[DONE]``.

        Raises:
            MalformedStream: a line has no known field, an event follows ``[DONE]`` or does not end.
        """
        pending = self._rest + data if self._rest else data
        if b"\r" in pending:
            pending = _unix_lines(pending)
        *blocks, self._rest = pending.split(b"\n\n")
        if len(self._rest) > LARGEST_EVENT:
            raise MalformedStream(f"an event of more than {LARGEST_EVENT} bytes: {_quote(self._rest)}")
        payloads = []
        for block in blocks:
            payload = _payload(block)
            if payload is None:
                continue
            if self.done:
                raise MalformedStream(f"an event after [DONE]: {_quote(payload)}")
            if payload == DONE:
                self.done = True
            else:
                payloads.append(payload)
        return payloads

    def words(self) -> str:
        """Plain text at the end, in the place of an event; empty for none. MindIE tells a time-out so."""
        line = self._rest.strip()
        fields = (b"data:", b":", *_OTHER_FIELDS)
        torn = any(field.startswith(line) or line.startswith(field) for field in fields)
        return "" if not line or torn else line.decode("utf-8", "replace")

    def close(self) -> None:
        """The stream is over.

        Raises:
            MalformedStream: it ended inside an event.
        """
        if self._rest.strip():
            raise MalformedStream(f"the stream ends inside an event: {_quote(self._rest)}")


def _payload(block: bytes) -> bytes | None:
    """Data of one event; None if it carries none (comments, keep-alive)."""
    if block.startswith(b"data:") and b"\n" not in block:
        return block[6:] if block.startswith(b"data: ") else block[5:]
    data = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line and not line.startswith((b":", *_OTHER_FIELDS)):
            raise MalformedStream(f"a line that is no event field: {_quote(line)}")
    return b"\n".join(data) if data else None


def _unix_lines(data: bytes) -> bytes:
    # A carriage return at the very end may be half of a CRLF: it stays until the rest arrives.
    held = data.endswith(b"\r")
    body = data[:-1] if held else data
    return body.replace(b"\r\n", b"\n") + (b"\r" if held else b"")


def _quote(data: bytes) -> str:
    return repr(data[:120].decode("utf-8", "replace"))
