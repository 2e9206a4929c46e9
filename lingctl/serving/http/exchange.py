"""One HTTP exchange under time limits, streamed; what goes wrong is yielded as a Trouble, not raised.

Built on ``http.client``: it never looks at proxy variables (a proxy in the environment answers for
cluster addresses with error pages), needs no heavy import, and hands out bytes as they arrive.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from lingctl.serving.endpoint import NO_TLS_FILES, Address, TlsFiles
from lingctl.serving.http.paced import PacedResponse, Pacer, Unpacker, unpacker_for
from lingctl.serving.trouble import ExchangeTrouble

HostPort = tuple[str, int]
# Longer answers are cut off: the longest generation is a few hundred kilobytes, also event by event.
LARGEST_ANSWER = 64 << 20
# Some gateways refuse requests without any.
USER_AGENT = "lingctl"


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds, and one of size."""

    connect: float = 5.0  # for the connection and the TLS handshake, each
    # longest time without the answer going on: until its head is whole, between two parts of its body, and
    # until its end. Bytes that belong to none of these (interim answers, a head that drips, trailers) do not
    # count.
    idle: float = 60.0
    total: float = 300.0  # for the whole exchange
    largest: int = LARGEST_ANSWER  # bytes of the body


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send where. ``route`` is a tunnel's place to connect to instead of the address."""

    address: Address
    method: str
    path: str
    body: bytes | None = None
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
    pace = Pacer(limits.idle, limits.total)
    connection = _Connection(request, limits.connect, pace)
    try:
        connection.connect()
    except OSError as error:
        yield _connect_trouble(error, limits)
        return
    heard = False
    try:
        connection.request(
            request.method, request.address.prefix + request.path, request.body, _headers(request)
        )
        pace.goes_on()
        response = connection.getresponse()
        heard = True
        names = {name.lower(): value for name, value in response.getheaders()}
        yield Head(response.status, names, time.perf_counter())
        yield from _body(response, names.get("content-encoding", ""), pace, limits.largest)
    except (OSError, http.client.HTTPException) as error:
        trouble = _trouble(error, limits)
        # In TLS 1.3 a server refuses a client's certificate after the handshake; its alert is often lost.
        refused = request.address.scheme == "https" and not heard and trouble.kind in ("closed", "tls")
        yield (
            ExchangeTrouble("tls", f"ended right after the handshake: {trouble.text}") if refused else trouble
        )
    finally:
        connection.close()


def _body(
    response: http.client.HTTPResponse, encoding: str, pace: Pacer, largest: int
) -> Iterator[Chunk | ExchangeTrouble]:
    unpacker: Unpacker | None = None
    received = 0
    pace.goes_on()
    # From Python 3.13 on it closes itself, and its socket, with the last byte.
    while not response.isclosed():
        packed = response.read1(65536)
        if not packed:
            break
        pace.goes_on()
        at = time.perf_counter()
        try:
            unpacker = unpacker or unpacker_for(encoding)
            for data in unpacker.unpack(packed):
                received += len(data)
                if received > largest:
                    yield ExchangeTrouble(
                        "malformed", f"the answer has more than {largest} bytes", response.status
                    )
                    return
                yield Chunk(data, at)
        except zlib.error as error:
            yield ExchangeTrouble(
                "malformed", f"it is not what Content-Encoding says: {error}", response.status
            )
            return
    if response.length:
        yield ExchangeTrouble("closed", f"the answer ends {response.length} bytes early", response.status)


class _Connection(http.client.HTTPConnection):
    """Connects along a route while Host header and certificate stay those of the address."""

    def __init__(self, request: HttpRequest, connect_limit: float, pace: Pacer) -> None:
        super().__init__(request.address.host, request.address.port, timeout=connect_limit)
        self.response_class = partial(PacedResponse, pace=pace)  # type: ignore[assignment]  # makes one
        self._request = request

    def connect(self) -> None:
        place = self._request.route or self._request.address.place
        self.sock = socket.create_connection(place, self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._request.address.scheme == "https":
            self.sock = tls_context(self._request.tls).wrap_socket(
                self.sock, server_hostname=self._request.address.host
            )


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """A context that checks certificate and name, and shows the client's own certificate if there is one.

    Raises:
        OSError: a file cannot be read or holds no certificate or key.
    """
    context = ssl.create_default_context(cafile=str(files.ca) if files.ca else None)
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key)
    return context


def speaks_tls(place: HostPort, connect_limit: float = 3.0) -> bool:
    """Whether what listens there answers a TLS handshake. Sends nothing else; trusts nothing."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(place, connect_limit) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False


def json_bytes(data: Mapping[str, object]) -> bytes:
    """JSON as it is sent. Half a character, which a service may have in its model's name, is escaped."""
    try:
        return json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(data).encode()


def _headers(request: HttpRequest) -> dict[str, str]:
    json_body = {"Content-Type": "application/json"} if request.body is not None else {}
    # No "Connection: close": MindIE would close first, and such a connection keeps its port from the next
    # start for a minute (TIME_WAIT, seen on 3.0.0). We close.
    return {"Accept-Encoding": "identity", "User-Agent": USER_AGENT, **json_body, **request.headers}


def _connect_trouble(error: OSError, limits: Limits) -> ExchangeTrouble:
    if isinstance(error, TimeoutError):
        return ExchangeTrouble("unreachable", f"no answer to the connection within {limits.connect:g} s")
    return _trouble(error, limits)


def _trouble(error: OSError | http.client.HTTPException, limits: Limits) -> ExchangeTrouble:
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
        case http.client.RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
            return ExchangeTrouble("closed", "the connection was closed without an answer")
        case http.client.IncompleteRead():
            return ExchangeTrouble("closed", "the answer ends early")
        case OSError():
            return ExchangeTrouble("unreachable", error.strerror or str(error))
        case _:
            return ExchangeTrouble("malformed", f"not HTTP: {type(error).__name__} {error}".strip())
