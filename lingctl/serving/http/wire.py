"""HTTP/1.1 as bytes: a request, and an incremental reader of what answers it. No socket is known here.

One way for all that asks: a load generator, which stamps bytes the moment they come, and whoever waits for a
single answer under limits of time. The standard library's client can do neither.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lingctl.serving.endpoint import Address

# Bytes of a head with the interim answers before it, and of trailers.
_MOST_BETWEEN = 1 << 20
# Of the line before a chunk, and of one behind the last: looked through again with each piece that comes.
_LONGEST_LINE = 4096
_STATUS = re.compile(r"[1-9][0-9]{2}(?![0-9])")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;.*)?")
_LINE_END = 2
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")  # a field that goes on in the next line
_WITHOUT_BODY = (204, 304)
_PACKED = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_LARGEST_PIECE = 1 << 20
# Some gateways refuse requests without any.
_USER_AGENT = "lingctl"


class WireError(ValueError):
    """Bytes that are no HTTP/1.1 response, or one that is not packed as it says."""


def request_bytes(
    address: Address,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Mapping[str, object] | None = None,
) -> bytes:
    """A request as it is sent. Half a character, which a service may have in its model's name, is escaped."""
    payload = b""
    # No "Connection: close": MindIE would close first, and such a connection keeps its port from the next
    # start for a minute (TIME_WAIT, seen on 3.0.0). We close.
    lines = {"Host": address.in_header, "User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **headers}
    if body is not None:
        try:
            payload = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            payload = json.dumps(body).encode()
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {address.prefix}{path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + payload


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
    _between: int = 0
    _packed: bool = False
    _unpacker: zlib._Decompress | None = None

    def feed(self, data: bytes) -> bytes:
        """The part of the body that ``data`` brings, as it was packed. Raises WireError: not HTTP."""
        if not self.status:
            self._read_head(data)
            if not self.status:
                return b""
            data, self._rest = bytes(self._rest), bytearray()
        return self._read_chunks(data) if self._chunked else self._read_plain(data)

    def unpacked(self, body: bytes) -> Iterable[bytes]:
        """A part of the body as it was before a gateway packed it, in pieces of bounded size.

        Some pack answers although they were asked not to.

        Raises:
            WireError: it is packed in a way that is not known here, or not as it says.
        """
        return self._unpack(body) if self._packed else (body,)

    def _unpack(self, body: bytes) -> Iterator[bytes]:
        way = self.headers["content-encoding"].lower()
        if way not in _PACKED:
            raise WireError(f"packed as {way[:40]!r}, which was not asked for")
        self._unpacker = self._unpacker or zlib.decompressobj(_GZIP_OR_ZLIB)
        while body:
            try:
                piece = self._unpacker.decompress(body, _LARGEST_PIECE)
            except zlib.error as error:
                raise WireError(f"it is not what Content-Encoding says: {error}") from error
            body = self._unpacker.unconsumed_tail
            if piece:
                yield piece
            elif self._unpacker.eof:
                return

    @property
    def missing(self) -> int:
        """Bytes of the body that are still to come, where its length was told."""
        return 0 if self._chunked else max(0, self._left)

    def end(self) -> bool:
        """The connection was closed; whether that is the body's proper end."""
        # Behind the last chunk nothing of the body comes (RFC 9112, 8): some close right there.
        if self.status and (self._in_trailers or (not self._chunked and self._left < 0)):
            self.complete = True
        return self.complete

    def _read_head(self, data: bytes) -> None:
        looked_at = max(0, len(self._rest) - 3)
        self._rest += data
        # Interim answers, such as "100 Continue", come before the one that counts.
        while end := _HEAD_END.search(self._rest, looked_at):
            first, *lines = _FOLD.sub(" ", self._rest[: end.start()].decode("latin-1")).split("\n")
            looked_at = 0
            protocol, _, rest = first.partition(" ")
            if not protocol.startswith("HTTP/1.") or not _STATUS.match(rest):
                raise WireError(f"not an HTTP response: {first[:80].rstrip()!r}")
            del self._rest[: end.end()]
            if not rest.startswith("1"):
                self._take_fields(lines)
                self._understand(protocol, int(rest[:3]))
                return
        self._count(len(data))
        if not self._rest.startswith(b"HTTP/1."[: len(self._rest)]):
            raise WireError(f"not an HTTP response: {self._rest[:80].decode('latin-1')!r}")

    def _take_fields(self, lines: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "content-length" and self.headers.get(name, value) != value:
                raise WireError(f"Content-Length {self.headers[name][:40]!r} and {value[:40]!r}")
            self.headers[name] = value

    def _count(self, received: int) -> None:
        self._between += received
        if self._between > _MOST_BETWEEN:
            raise WireError(f"more than {_MOST_BETWEEN} bytes that are no part of the answer")

    def _understand(self, protocol: str, status: int) -> None:
        self.status = status
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        length = self.headers.get("content-length", "")
        if length and not _LENGTH.fullmatch(length):
            raise WireError(f"Content-Length {length[:40]!r}")
        self._left = int(length) if length and not self._chunked else -1
        if status in _WITHOUT_BODY:
            self._chunked, self._left = False, 0
        self.complete = self._left == 0
        self._packed = self.headers.get("content-encoding", "").lower() not in ("", "identity")
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
        self._count(len(line))


def _size(line: bytes) -> int:
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        raise WireError(f"a chunk's size is {line[:40]!r}")
    return int(found[1], 16)
