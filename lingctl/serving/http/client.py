"""A small typed client of MindIE and of any OpenAI-compatible service. Errors come back as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lingctl.serving.endpoint import Endpoint, address_of
from lingctl.serving.http.answers import Piece, parse_object
from lingctl.serving.http.api import Ask, Dialect, no_stream, parse_answer, without
from lingctl.serving.http.events import EventReader
from lingctl.serving.http.exchange import (
    Chunk,
    Head,
    HostPort,
    HttpRequest,
    HttpResponse,
    Limits,
    exchange,
    stream,
)
from lingctl.serving.http.thoughts import apart, thinking_for
from lingctl.serving.trouble import ExchangeTrouble, http_trouble, refusal_in

NO_MODELS = "it lists no models"
_QUICK_SECONDS = 10.0
_LONGEST_BEGINNING = 1 << 20


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of a stream."""

    at: float  # time of arrival, seconds of ``time.perf_counter``
    # what it holds, or the Trouble that ended the stream; at its documented end, what was held back
    piece: Piece | ExchangeTrouble
    done: bool = False  # the stream's documented end


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models that a service lists."""

    names: tuple[str, ...]  # their ids
    owner: str  # ``owned_by`` of the first, e.g. ``MindIE Server`` or ``vllm``.

    @property
    def of_mindie(self) -> bool:
        """Whether MindIE lists them, which has an API of its own besides OpenAI's."""
        return "mindie" in self.owner.lower()


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to one endpoint."""

    endpoint: Endpoint  # the service
    # for places reached through a tunnel, the local end of it
    routes: Mapping[HostPort, HostPort] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)  # time limits of a generation
    left_out: frozenset[str] = frozenset()  # fields of a request that this service refuses

    def generate(self, dialect: Dialect, ask: Ask) -> Piece | ExchangeTrouble:
        """Ask for text and wait for all of it."""
        answer = _ok(self.post(dialect.path, self.body(dialect, ask, stream=False)))
        if isinstance(answer, ExchangeTrouble):
            return answer
        piece = parse_answer(dialect, answer.body)
        if isinstance(piece, ExchangeTrouble):
            return piece
        return replace(apart(piece) if dialect.thinks else piece, seconds=answer.seconds)

    def refusal(self, dialect: Dialect, ask: Ask) -> ExchangeTrouble | None:
        """Why a request for text is not answered; None where it is."""
        answer = self.generate(dialect, ask)
        return answer if isinstance(answer, ExchangeTrouble) else None

    def stream(self, dialect: Dialect, ask: Ask) -> Iterator[StreamEvent]:
        """Ask for text event by event; the last event is done or a Trouble."""
        parts = stream(self._request("POST", dialect.path, self.body(dialect, ask, stream=True)), self.limits)
        head = next(parts)
        if isinstance(head, Head) and head.status == 200:
            yield from _events(dialect, head, parts)
        elif isinstance(head, Head):
            body = b"".join(part.data for part in parts if isinstance(part, Chunk))
            yield StreamEvent(head.at, http_trouble(head.status, body, head.headers))
        elif isinstance(head, ExchangeTrouble):
            yield StreamEvent(0.0, head)

    def body(self, dialect: Dialect, ask: Ask, *, stream: bool) -> dict[str, object]:
        """A request, without the fields that this service refuses."""
        return without(self.left_out, dialect.body(self.endpoint.served_name, ask, stream))

    def post(self, path: str, body: Mapping[str, object]) -> HttpResponse | ExchangeTrouble:
        """Post anything; the answer of any status."""
        return exchange(self._request("POST", path, body), self.limits)

    def models(self) -> ModelList | ExchangeTrouble:
        """``GET /v1/models``."""
        answer = _ok(exchange(self._request("GET", "/v1/models"), self._quick))
        if isinstance(answer, ExchangeTrouble):
            return answer
        # Together's answer is the list itself.
        bare = answer.body.lstrip()[:1] == b"["
        data = parse_object(b'{"data": %b}' % answer.body if bare else answer.body)
        if isinstance(data, ExchangeTrouble):
            return data
        listed = data.get("data")
        models = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
        names = tuple(str(m["id"]) for m in models if m.get("id"))
        if not names and (trouble := refusal_in(data, 200)):
            return trouble
        if not names:
            text = NO_MODELS if listed == [] else f"no models in the list: {str(data)[:200]}"
            return ExchangeTrouble("malformed", text, 200)
        return ModelList(names, str(models[0].get("owned_by") or ""))

    def health(self) -> HttpResponse | ExchangeTrouble:
        """What MindIE's management listener says of health, or the service itself, as vLLM; any status."""
        own = self.endpoint.management_url
        return exchange(self._request("GET", "/v2/health/ready" if own else "/health", base=own), self._quick)

    @property
    def _quick(self) -> Limits:
        """For what is answered at once: health, and the list of models."""
        return Limits(idle=min(_QUICK_SECONDS, self.limits.idle), total=_QUICK_SECONDS)

    def _request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, base: str = ""
    ) -> HttpRequest:
        address = address_of(base or self.endpoint.service_url)
        key = self.endpoint.api_key
        return HttpRequest(
            address,
            method,
            self.endpoint.path_of(path),
            body=body,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            route=self.routes.get(address.place),
            tls=self.endpoint.tls,
        )


def _events(
    dialect: Dialect, head: Head, parts: Iterator[Head | Chunk | ExchangeTrouble]
) -> Iterator[StreamEvent]:
    content_type = head.headers.get("content-type", "")
    if not content_type.lower().startswith("text/event-stream"):
        yield StreamEvent(head.at, no_stream(content_type, _beginning(parts)))
        return
    thinking, at = thinking_for(dialect), head.at
    for at, piece in _pieces(EventReader(dialect), parts, head.at):
        if isinstance(piece, ExchangeTrouble):
            yield StreamEvent(at, piece)
            return
        yield StreamEvent(at, thinking.tell(piece))
    yield StreamEvent(at, thinking.end(), done=True)


def _pieces(
    reader: EventReader, parts: Iterator[Head | Chunk | ExchangeTrouble], at: float
) -> Iterator[tuple[float, Piece | ExchangeTrouble]]:
    """What a stream's events hold, each with the time of its arrival."""
    for part in parts:
        if isinstance(part, ExchangeTrouble):
            yield at, reader.last_words() or part
            return
        assert isinstance(part, Chunk)
        at = part.at
        for piece in reader.feed(part.data):
            yield at, piece
    for piece in reader.end():
        yield at, piece


def _beginning(parts: Iterator[Head | Chunk | ExchangeTrouble]) -> bytes:
    """Of an answer that is no event stream: as much as tells what it is."""
    said = b""
    for part in parts:
        if not isinstance(part, Chunk) or len(said) > _LONGEST_BEGINNING:
            break
        said += part.data
        if not said.lstrip().startswith((b"{", b"<")):
            break
    return said[:_LONGEST_BEGINNING]


def _ok(answer: HttpResponse | ExchangeTrouble) -> HttpResponse | ExchangeTrouble:
    if isinstance(answer, HttpResponse) and answer.status != 200:
        return http_trouble(answer.status, answer.body, answer.headers)
    return answer
