"""HTTP as the server's library speaks it, byte for byte: limits, framing, header fields and their order.

Source: cpp-httplib 0.30.0, which MindIE-LLM v3.0.0 is built with, and src/server/endpoint/http_wrapper; seen
on the real 3.0.0. ``Connection: close`` is said of nearly every answer, but the connection stays open unless
the client wanted it closed.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote_to_bytes

IDLE_SECONDS, READ_SECONDS = 180.0, 300.0
_LINE_LIMIT, _HEADER_LIMIT, _HEADER_COUNT, _TARGET_LIMIT, _FORM_LIMIT = 32768, 8192, 100, 8192, 8192
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"}
_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REASONS = {413: "Payload Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


class Hangup(Exception):
    """There is nothing more to read: the connection ends."""


class Malformed(Exception):
    """A request that is answered with a bare status.

    Args:
        status: the answer's.
        unread: bytes of the body that are still to come.
    """

    def __init__(self, status: int, *, unread: int = 0) -> None:
        super().__init__(str(status))
        self.status, self.unread = status, unread


@dataclass
class Head:
    """A request without its body."""

    method: str
    path: str  # decoded, without the query
    version: str
    # header fields by their names in small letters, the first of each name
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def wants_close(self) -> bool:
        """Whether the client asks for the connection to be closed."""
        return self.fields.get("connection") == "close"

    @property
    def ends(self) -> bool:
        """Whether the connection ends with the answer."""
        return self.wants_close or (
            self.version == "HTTP/1.0" and self.fields.get("connection") != "Keep-Alive"
        )


@dataclass
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    kind: str | None = None  # Content-Type; None for an answer that no handler made
    said: int = 0  # how often the handler said ``Connection: close``
    routed: bool = True  # whether it has a RequestUUID


class Fields:
    """Header fields in the library's order: a new name comes first, a known one joins its like."""

    def __init__(self) -> None:
        self.items: list[tuple[str, str]] = []

    def add(self, name: str, value: str) -> None:
        """Set a field."""
        place = next((i for i, (known, _) in enumerate(self.items) if known == name), 0)
        self.items.insert(place, (name, value))


class Stream(Protocol):
    """What is read from."""

    def readline(self, size: int = -1, /) -> bytes:
        """A line."""

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes."""


def read_head(stream: Stream, first_line: bytes) -> Head:
    """Read a request up to its body.

    Args:
        stream: where the rest of it is.
        first_line: its first line.

    Raises:
        Malformed: it is none.
    """
    head = _request_line(first_line)
    for _ in range(_HEADER_COUNT + 1):
        line = stream.readline(_LINE_LIMIT)
        if not line or len(line) >= _LINE_LIMIT:
            raise Malformed(400)
        if line == b"\r\n":
            break
        if not line.endswith(b"\r\n"):
            continue
        name, colon, value = line[:-2].partition(b":")
        if len(line) > _HEADER_LIMIT or not colon or not _TOKEN.fullmatch(name):
            raise Malformed(400)
        head.fields.setdefault(name.decode().lower(), value.strip(b" \t").decode("latin-1"))
    else:
        raise Malformed(400)
    target = first_line.split(b" ")[1]
    if len(target) > _TARGET_LIMIT:
        raise Malformed(414)
    return head


def _request_line(line: bytes) -> Head:
    parts = [part for part in line[:-2].split(b" ") if part]
    if not line.endswith(b"\r\n") or len(parts) != 3:
        raise Malformed(400)
    method, target, version = (part.decode("latin-1") for part in parts)
    if method not in _METHODS or version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Malformed(400)
    path = target.partition("#")[0].partition("?")[0]
    return Head(method, unquote_to_bytes(path).decode("utf-8", "replace"), version)


def read_body(stream: Stream, head: Head, longest: int) -> bytes:
    """Read a request's body.

    Raises:
        Malformed: it is too large or not as it should be.
        Hangup: the client is gone.
    """
    chunked = head.fields.get("transfer-encoding", "").lower() == "chunked"
    stated = head.fields.get("content-length")
    if stated is None and not chunked:
        return b""
    kind = head.fields.get("content-type", "")
    if chunked:
        body = _read_chunks(stream, longest)
    else:
        if stated is None or not stated.isascii() or not stated.isdigit():
            raise Malformed(400)
        length = int(stated)
        if length > longest:
            raise Malformed(413, unread=length)
        body = stream.read(length)
        if len(body) < length:
            raise Hangup
    if kind.startswith("multipart/form-data") and not _is_multipart(kind, body):
        raise Malformed(400)
    if kind.startswith("application/x-www-form-urlencoded") and len(body) > _FORM_LIMIT:
        raise Malformed(413)
    return body


def has_body(head: Head) -> bool:
    """Whether the library looks for a body."""
    stated = head.fields.get("content-length", "0")
    chunked = head.fields.get("transfer-encoding", "").lower() == "chunked"
    return head.method in _WITH_BODY or chunked or (stated.isdigit() and int(stated) > 0)


def skip_body(stream: Stream, left: int) -> None:
    """Read so many bytes of a body that was refused for its length."""
    while left > 0:
        piece = stream.read(min(left, 1 << 16))
        if not piece:
            raise Hangup
        left -= len(piece)


def _read_chunks(stream: Stream, longest: int) -> bytes:
    body = bytearray()
    while True:
        line = stream.readline(_LINE_LIMIT)
        try:
            size = int(line.partition(b";")[0].strip(), 16)
        except ValueError:
            raise Malformed(400) from None
        if size < 0:
            raise Malformed(400)
        if size == 0:
            break
        if len(body) + size > longest:
            raise Malformed(413)
        piece = stream.read(size)
        if len(piece) < size:
            raise Hangup
        body += piece
        if stream.readline(_LINE_LIMIT) != b"\r\n":
            raise Malformed(400)
    while stream.readline(_LINE_LIMIT) not in (b"\r\n", b""):
        pass
    return bytes(body)


def _is_multipart(kind: str, body: bytes) -> bool:
    boundary = re.search(r'boundary="?([^";]+)', kind)
    if boundary is None:
        return False
    mark = b"--" + boundary[1].encode("latin-1")
    return body.startswith(mark) and body.rstrip(b"\r\n").endswith(mark + b"--")


def reply_bytes(reply: Reply, head: Head | None, most: int, *, last: bool = False) -> bytes:
    """An answer that is sent whole.

    Args:
        reply: the answer.
        head: the request's, None where it could not be read.
        most: requests that a connection may have.
        last: whether this one is the last of them.
    """
    fields = _begun(reply.routed, reply.kind, reply.said)
    if reply.body:
        fields.add("Content-Length", str(len(reply.body)))
    closes = last or reply.status >= 400 or (head is not None and head.wants_close)
    _add_connection(fields, closes, most)
    if not reply.body:
        fields.add("Content-Length", "0")
    headless = head is not None and head.method == "HEAD"
    if headless:
        fields.add("Accept-Ranges", "bytes")
    return _written(reply.status, fields) + (b"" if headless else reply.body)


def stream_bytes(head: Head, most: int, *, last: bool = False) -> bytes:
    """The beginning of a stream; the arguments are those of ``reply_bytes``."""
    fields = _begun(True, "text/event-stream", 0)
    fields.add("Transfer-Encoding", "chunked")
    _add_connection(fields, last or head.wants_close, most)
    return _written(200, fields)


def chunk_bytes(data: bytes) -> bytes:
    """A chunk; an empty one is the end."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _begun(routed: bool, kind: str | None, said: int) -> Fields:
    fields = Fields()
    if routed:
        fields.add("RequestUUID", uuid.uuid4().hex)
    if kind is not None:
        fields.add("Content-Type", kind)
    for _ in range(said):
        fields.add("Connection", "close")
    return fields


def _add_connection(fields: Fields, closes: bool, most: int) -> None:
    if closes:
        fields.add("Connection", "close")
    else:
        fields.add("Keep-Alive", f"timeout={int(IDLE_SECONDS)}, max={most}")


def _written(status: int, fields: Fields) -> bytes:
    reason = _REASONS.get(status) or HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
