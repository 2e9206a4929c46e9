"""An incremental HTTP/1.1 response reader, no larger than a load generator needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LONGEST_HEAD = 65536
# Of the line before a chunk, and of one behind the last: looked through again with each piece that comes.
_LONGEST_LINE = 4096
_STATUS = re.compile(r"[1-9][0-9]{2}(?![0-9])")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;.*)?")
_LINE_END = 2


class WireError(ValueError):
    """Bytes that are no HTTP/1.1 response."""


@dataclass(slots=True)
class ResponseReader:
    """Feed bytes as they arrive, get the body's bytes."""

    status: int = 0  # 0 until the head has arrived
    headers: dict[str, str] = field(default_factory=dict)  # lower-case names
    complete: bool = False  # whether the body's documented end was seen
    may_reuse: bool = True  # whether the connection may carry another request afterwards
    _rest: bytearray = field(default_factory=bytearray)
    _chunked: bool = False
    # Bytes still to come of the body or chunk; -1: unknown, or a chunk's size line comes next.
    _left: int = -1
    _in_trailers: bool = False
    _trailers: int = 0

    def feed(self, data: bytes) -> bytes:
        """The part of the body that ``data`` brings. Raises WireError: not HTTP."""
        if not self.status:
            pending = self._read_head(data)
            if pending is None:
                return b""
            data = pending
        if self._chunked:
            return self._read_chunks(data)
        return self._read_plain(data)

    def end(self) -> bool:
        """The connection was closed; whether that is the body's proper end."""
        if self.status and not self._chunked and self._left < 0:
            self.complete = True
        return self.complete

    def _read_head(self, data: bytes) -> bytes | None:
        looked_at = max(0, len(self._rest) - 3)
        self._rest += data
        status = "100"
        # Interim answers, such as "100 Continue", come before the one that counts.
        while status.startswith("1"):
            end = self._rest.find(b"\r\n\r\n", looked_at)
            if end < 0:
                if len(self._rest) > _LONGEST_HEAD:
                    raise WireError("the response's head is too long")
                return None
            first, *lines = self._rest[:end].decode("latin-1").split("\r\n")
            looked_at = 0
            protocol, _, rest = first.partition(" ")
            status = rest[:3]
            if not protocol.startswith("HTTP/1.") or not _STATUS.match(rest):
                raise WireError(f"not an HTTP response: {first[:80]!r}")
            del self._rest[: end + 4]
        self.headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        self._understand(protocol)
        self.status = int(status)
        pending, self._rest = bytes(self._rest), bytearray()
        return pending

    def _understand(self, protocol: str) -> None:
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        length = self.headers.get("content-length", "")
        if length and not _LENGTH.fullmatch(length):
            raise WireError(f"Content-Length {length!r}")
        self._left = int(length) if length and not self._chunked else -1
        self.complete = self._left == 0
        asked = self.headers.get("connection", "").lower()
        kept = asked == "keep-alive" if protocol == "HTTP/1.0" else asked != "close"
        self.may_reuse = kept and (self._chunked or self._left >= 0)

    def _read_plain(self, data: bytes) -> bytes:
        if self._left >= 0:
            self.may_reuse = self.may_reuse and len(data) <= self._left
            data = data[: self._left]
            self._left -= len(data)
            self.complete = self._left == 0
        return data

    def _read_chunks(self, data: bytes) -> bytes:
        """Body bytes in ``data``; those of a chunk that is still arriving are handed out at once."""
        if self._rest:
            data = bytes(self._rest) + data
        body, at, end = [], 0, len(data)
        while at < end and not self.complete:
            if self._left > 0:
                piece = data[at : at + self._left]
                body.append(piece)
                at += len(piece)
                self._left -= len(piece)
            elif self._left == 0:
                if end - at < _LINE_END:
                    break
                at += _LINE_END
                self._left = -1
            else:
                line = data.find(b"\r\n", at)
                if (line if line >= 0 else end) - at > _LONGEST_LINE:
                    raise WireError("a chunk's size does not end")
                if line < 0:
                    break
                self._read_line(data[at:line])
                at = line + _LINE_END
        self._rest = bytearray(data[at:])
        return body[0] if len(body) == 1 else b"".join(body)

    def _read_line(self, line: bytes) -> None:
        """A chunk's size, or a line behind the last chunk: trailers, and the empty line that ends them."""
        if not self._in_trailers:
            size = _size(line)
            self._in_trailers = size == 0
            self._left = size or -1
            return
        self.complete = not line
        self._trailers += len(line)
        if self._trailers > _LONGEST_HEAD:
            raise WireError("the trailers do not end")


def _size(line: bytes) -> int:
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        raise WireError(f"a chunk's size is {line[:40]!r}")
    return int(found[1], 16)
