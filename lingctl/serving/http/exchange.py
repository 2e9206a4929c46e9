"""One HTTP exchange under time limits, streamed; what goes wrong is yielded as a Trouble, not raised.

It never looks at proxy variables: a proxy in the environment answers for cluster addresses with error pages.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lingctl.serving.endpoint import NO_TLS_FILES, Address, TlsFiles
from lingctl.serving.http.wire import ResponseReader, WireError, request_bytes
from lingctl.serving.trouble import ExchangeTrouble

HostPort = tuple[str, int]
# Longer answers are cut off: the longest generation is a few hundred kilobytes, also event by event.
LARGEST_ANSWER = 64 << 20
_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds, and one of size."""

    connect: float = 5.0  # for the connection and the TLS handshake, each
    # longest time without the request being taken or the answer going on: until its head is whole, between
    # two parts of its body, and until its end. Bytes that belong to none of these (interim answers, a head
    # that drips, trailers) do not count.
    idle: float = 60.0
    total: float = 300.0  # for the whole exchange
    largest: int = LARGEST_ANSWER  # bytes of the body


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send where. ``route`` is a tunnel's place to connect to instead of the address."""

    address: Address
    method: str
    path: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    route: HostPort | None = None
    tls: TlsFiles = NO_TLS_FILES


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers (lower-case names), with the time of their arrival."""

    status: int
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of the body, with the time of their arrival."""

    data: bytes
    at: float


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def exchange(request: HttpRequest, limits: Limits) -> HttpResponse | ExchangeTrouble:
    """Send a request and read the whole answer, of any status."""
    started = time.perf_counter()
    head: Head | None = None
    body = bytearray()
    for part in stream(request, limits):
        if isinstance(part, ExchangeTrouble):
            return part
        if isinstance(part, Head):
            head = part
        else:
            body += part.data
    assert head is not None
    return HttpResponse(head.status, head.headers, bytes(body), time.perf_counter() - started)


def stream(request: HttpRequest, limits: Limits) -> Iterator[Head | Chunk | ExchangeTrouble]:
    """Send a request; yields the Head, then Chunks as they arrive. A Trouble is the last thing yielded."""
    ends_at = time.perf_counter() + limits.total
    try:
        connection = _connected(request, limits.connect)
    except OSError as error:
        yield connect_trouble(error, limits)
        return
    reader = ResponseReader()
    try:
        sent = request_bytes(request.address, request.method, request.path, request.headers, request.body)
        _send(connection, sent, limits, ends_at)
        yield from _answer(connection, reader, limits, ends_at)
    except OSError as error:
        trouble = _trouble(error, limits)
        # In TLS 1.3 a server refuses a client's certificate after the handshake; its alert is often lost.
        refused = (
            request.address.scheme == "https" and not reader.status and trouble.kind in ("closed", "tls")
        )
        yield (
            ExchangeTrouble("tls", f"ended right after the handshake: {trouble.text}") if refused else trouble
        )
    except WireError as error:
        yield ExchangeTrouble("malformed", str(error), reader.status)
    finally:
        connection.close()


def _send(connection: socket.socket, request: bytes, limits: Limits, ends_at: float) -> None:
    """Send it, as slowly as the link and the service take it. Raises OSError."""
    left = memoryview(request)
    while left:
        seconds = min(limits.idle, ends_at - time.perf_counter())
        if seconds <= 0:
            raise TimeoutError
        connection.settimeout(seconds)
        left = left[connection.send(left[:_READ]) :]


def _answer(
    connection: socket.socket, reader: ResponseReader, limits: Limits, ends_at: float
) -> Iterator[Head | Chunk | ExchangeTrouble]:
    """The answer as it comes. Raises OSError and WireError."""
    received, silent_at = 0, time.perf_counter() + limits.idle
    while not reader.complete:
        seconds = min(silent_at, ends_at) - time.perf_counter()
        if seconds <= 0:
            raise TimeoutError
        connection.settimeout(seconds)
        data, headed = connection.recv(_READ), reader.status
        at = time.perf_counter()
        if not data and not reader.end():
            if not reader.status:
                raise ConnectionResetError
            early = f"{reader.missing} bytes early" if reader.missing else "early"
            yield ExchangeTrouble("closed", f"the answer ends {early}", reader.status)
            return
        body = reader.feed(data)
        if reader.status != headed:
            yield Head(reader.status, reader.headers, at)
        for piece in reader.unpacked(body) if body else ():
            received += len(piece)
            if received > limits.largest:
                raise WireError(f"the answer has more than {limits.largest} bytes")
            yield Chunk(piece, at)
        if body or reader.status != headed:
            silent_at = time.perf_counter() + limits.idle


def _connected(request: HttpRequest, limit: float) -> socket.socket:
    """A connection along the route, while the certificate is to be that of the address."""
    connection = socket.create_connection(request.route or request.address.place, limit)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if request.address.scheme != "https":
        return connection
    try:
        return tls_context(request.tls).wrap_socket(connection, server_hostname=request.address.host)
    except OSError:
        connection.close()
        raise


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """A context that checks certificate and name, and shows the client's own certificate if there is one.

    Raises:
        OSError: a file cannot be read or holds no certificate or key.
    """
    context = ssl.create_default_context(cafile=str(files.ca) if files.ca else None)
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key)
    return context


def speaks_tls(place: HostPort) -> bool:
    """Whether what listens there answers a TLS handshake. Sends nothing else; trusts nothing."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(place, 3.0) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def connect_trouble(error: OSError, limits: Limits) -> ExchangeTrouble:
    """What an error says that was met before anything was sent."""
    if isinstance(error, TimeoutError):
        return ExchangeTrouble("unreachable", f"no answer to the connection within {limits.connect:g} s")
    return _trouble(error, limits)


def _trouble(error: OSError, limits: Limits) -> ExchangeTrouble:
    match error:
        case ssl.SSLError():
            return ExchangeTrouble("tls", getattr(error, "verify_message", "") or error.reason or str(error))
        case TimeoutError():
            return ExchangeTrouble(
                "timeout",
                f"no answer in time (limits: {limits.idle:g} s without going on, {limits.total:g} s in all)",
            )
        case socket.gaierror():
            return ExchangeTrouble("name", error.strerror or str(error))
        case ConnectionRefusedError():
            return ExchangeTrouble("refused", "connection refused")
        case ConnectionResetError() | BrokenPipeError():
            return ExchangeTrouble("closed", "the connection was closed without an answer")
        case _:
            return ExchangeTrouble("unreachable", error.strerror or str(error))
