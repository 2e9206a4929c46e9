"""What a service answers: HTTP, streams of events, lists of models, errors; read by two clients of ours."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from lingctl.ascend.facts import as_json
from lingctl.flows.serve.chat import _save
from lingctl.serving.bench.connection import StreamConnection
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.chat import ChatOptions, Conversation
from lingctl.serving.endpoint import Endpoint
from lingctl.serving.faults import fault_of
from lingctl.serving.http import exchange
from lingctl.serving.http.api import CHAT, Ask, Dialect, dialect_for
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import Limits
from lingctl.serving.http.sse import DONE, MalformedStream, SseParser
from lingctl.serving.http.streamed import bare, gather
from lingctl.serving.remedies import advice_for
from lingctl.serving.trouble import ExchangeTrouble
from tests.fuzz.reader import Reader, Wrong
from tests.fuzz.readers.samples import SHARED

_INFER: Dialect = dialect_for("base", mindie=True)
_ENDPOINT = Endpoint("http://127.0.0.1:1", "http://127.0.0.1:1", "m")
_CLIENT = Client(_ENDPOINT, limits=Limits(1.0, 2.0, 4.0))
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_WORDS = (
    *(
        b"data: ",
        b"data:",
        b"\n\n",
        b"\r\n",
        b"data: [DONE]\n\n",
        b": ping\n\n",
        b"event: x\n",
        b"retry: 5\n",
    ),
    *(b'{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}', b'"finish_reason":"stop"'),
    *(
        b'"usage":{"prompt_tokens":1,"completion_tokens":2}',
        b'"error":{"message":"x"}',
        b'"reasoning_content":"t"',
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Encoding: gzip\r\n",
        b"HTTP/1.1 ",
    ),
    *(
        b"0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"Connection: close\r\n",
        b"Location: http://x/\r\n",
        b"100 Continue\r\n\r\n",
    ),
    *(b"\\ud83d", b"\\ude00", b"Engine callback timeout", b'{"generated_text":"x"}', b'"tool_calls":[{}]'),
)


class _Wire:
    """A socket on which an answer has come whole."""

    def __init__(self, data: bytes) -> None:
        self._ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        self._theirs = theirs

    def setsockopt(self, *_words: object) -> None:
        """It is no TCP socket."""

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours, name)


@contextmanager
def _answering(data: bytes) -> Iterator[None]:
    """Every connection gets this answer."""
    wires: list[_Wire] = []

    def connect(*_words: object, **_more: object) -> _Wire:
        wires.append(_Wire(data))
        return wires[-1]

    real = exchange.socket
    exchange.socket = cast(Any, SimpleNamespace(**{**vars(socket), "create_connection": connect}))
    try:
        yield
    finally:
        exchange.socket = real
        for wire in wires:
            wire.close()


def _http(data: bytes, _folder: Path) -> object:
    """An answer in HTTP, read as a stream, as a whole answer, as models and as health; and by bench."""
    told: list[object] = []
    with _answering(data):
        streamed = gather(_CLIENT.stream(CHAT, Ask("x", details=True)))
        for dialect in (CHAT, _INFER):
            told.append(_said(_CLIENT.generate(dialect, Ask("x"))))
        told += [_said(_CLIENT.models()), _said(_CLIENT.health())]
    outcome = _benched(data, CHAT, (len(data),))
    for sizes in ((1,), (7, 1, 300)) if len(data) < 4_000 else ((7, 1, 300),):
        if _kind(again := _benched(data, CHAT, sizes)) != _kind(outcome):
            raise Wrong(f"what bench reads depends on how it arrives: {_kind(outcome)} and {_kind(again)}")
    if not streamed.trouble and not outcome.error and "".join(outcome.pieces).strip():
        ours, theirs = (
            bare(streamed.reasoning + streamed.text + streamed.tool_call),
            bare("".join(outcome.pieces)),
        )
        if sorted(_plain(ours)) != sorted(_plain(theirs)):
            raise Wrong(f"the two clients read {ours[:80]!a} and {theirs[:80]!a}")
    told += [as_json(streamed), outcome.error, outcome.error_text, outcome.output_tokens]
    if streamed.trouble:
        told.append(advice_for(_ENDPOINT).remedy(streamed.trouble))
    return told


def _plain(text: str) -> str:
    """Halves of characters that stand in two pieces are joined by one client and not by the other."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\ufffd", "")


def _kind(outcome: RequestOutcome) -> tuple[object, ...]:
    if outcome.error:
        return (outcome.error,)
    return len(outcome.token_at), outcome.output_tokens, "".join(outcome.pieces)


def _said(answer: object) -> object:
    if isinstance(answer, ExchangeTrouble):
        return [str(answer), fault_of(answer), advice_for(_ENDPOINT).remedy(answer)]
    return as_json(answer)


class _Nowhere(asyncio.Transport):
    def write(self, data: object) -> None:
        """It is sent."""

    def abort(self) -> None:
        """It is closed."""


def _benched(data: bytes, dialect: Dialect, sizes: tuple[int, ...]) -> RequestOutcome:
    """An answer as bench reads it, in pieces of these sizes, again and again."""

    async def read() -> RequestOutcome:
        connection, outcome = StreamConnection(dialect, keeps_text=True), RequestOutcome(0)
        connection.connection_made(_Nowhere())
        connection.send(b"", outcome)
        at = number = 0
        while at < len(data) and connection._ended is not None:
            size = min(sizes[number % len(sizes)], 1 << 16, len(data) - at)
            connection._buffer[:size] = data[at : at + size]
            connection.buffer_updated(size)
            connection._read()
            at, number = at + size, number + 1
        connection.connection_lost(None)
        return outcome

    return _LOOP.run_until_complete(read())


_LOOP = asyncio.new_event_loop()


def _events(data: bytes, _folder: Path) -> object:
    """Events alone: the same in whatever pieces they come, and held in little."""
    found = []
    for size in (len(data) or 1, 1, 5):
        parser, payloads = SseParser(), []
        try:
            for at in range(0, len(data), size):
                payloads += parser.feed(data[at : at + size])
            payloads += [b"words " + parser.words().encode()]
            payloads += parser.close()
            found.append((tuple(payloads), parser.done))
        except MalformedStream as error:
            if len(str(error)) > 1_000:
                raise Wrong("an error of great length") from error
            found.append(((b"malformed",), False))
    if len(set(found)) > 1:
        raise Wrong(f"what is read depends on how it arrives: {str(found)[:300]}")
    return [payload.decode("utf-8", "replace") for payload in found[0][0]]


def _event_made(chance: random.Random) -> bytes:
    """A stream as some engine or gateway may send it."""
    end = chance.choice((b"\n", b"\r\n", b"\r"))
    out = [chance.choice((b"", b"", b"\xef\xbb\xbf"))]
    for number in range(chance.randrange(8)):
        delta: dict[str, object] = {"content": chance.choice(("a", " 中", "\ud83d", "\ude00", "", None))}
        if chance.random() < 0.2:
            delta = {
                chance.choice(("reasoning_content", "reasoning", "tool_calls", "role")): chance.choice(
                    ("t", None, [{}])
                )
            }
        choice = {"index": 0, "delta": delta, "finish_reason": "stop" if number == 6 else None}
        if chance.random() < 0.2:
            choice |= {"finish_reason": "stop"}
        event = {
            "choices": [choice],
            "usage": chance.choice((None, {"prompt_tokens": 3, "completion_tokens": number})),
        }
        out += [b"data:", chance.choice((b" ", b"")), json.dumps(event).encode(), end, end]
        if chance.random() < 0.2:
            out += [
                chance.choice((b": ping", b"data:", b"event: m", b"id: 5", b"data")),
                end,
                chance.choice((end, b"")),
            ]
    out += [b"data: ", DONE, end, end] if chance.random() < 0.7 else []
    return b"".join(out)


def _http_made(chance: random.Random) -> bytes:
    """A whole answer around such a stream, in one of the ways in which bodies end."""
    body = _event_made(chance)
    head, kind = _HEAD, chance.randrange(4)
    if chance.random() < 0.15:
        body, head = gzip.compress(body), head + b"Content-Encoding: gzip\r\n"
    if chance.random() < 0.15:
        body = json.dumps({"object": "list", "data": [{"id": "m", "owned_by": "MindIE Server"}]}).encode()
        head = head.replace(b"text/event-stream", b"application/json")
    if kind == 0:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if kind == 1:
        return head + b"Connection: close\r\n\r\n" + body
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(5))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if b > a]
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(part), chance.choice((b"", b";x=1")), part) for part in parts)
    trailers = chance.choice((b"", b"X-T: 1\r\n"))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailers + b"\r\n"


def _http_seeds() -> list[bytes]:
    made = [_http_made(random.Random(number)) for number in range(12)]
    busy = b'HTTP/1.1 503 Busy\r\nContent-Length: 27\r\n\r\n{"error":"x","error_type":5}'
    return [
        *made,
        *_field_answers(),
        busy,
        b"HTTP/1.1 307 T\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n",
    ]


def _field_answers() -> list[bytes]:
    """What the services of the field folder stream, where it lies beside this checkout."""
    file = SHARED / "field/http/odd_server.py"
    spec = importlib.util.spec_from_file_location("odd_server", file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return []
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    events = [
        module.stream(),
        module.thinking("reasoning_content", 3, 2),
        module.stream(middle=b": ping\n\n"),
    ]
    return [_HEAD + b"Connection: close\r\n\r\n" + b"".join(parts) for parts in events]


# ---- a chat, shown and saved


def _chat(data: bytes, folder: Path) -> object:
    """What is heard is what is remembered; a chat can be saved whatever was said, and says what was."""
    with _answering(_HEAD + b"Connection: close\r\n\r\n" + data):
        talk = Conversation(_CLIENT, ChatOptions("be kind"), CHAT)
        heard = list(talk.ask("who?"))
    said = "".join(part.text for part in heard if part.kind == "answer")
    if said != talk.last.text:
        raise Wrong("what was heard is not what was said")
    (folder / "kept").mkdir(exist_ok=True)  # its folder is made sure of, and no other may be touched
    path = folder / "kept/chat.json"
    told = _save(path, talk)
    if not told.startswith("saved: "):
        raise Wrong(told)
    kept = json.loads(path.read_text(encoding="utf-8"))["messages"]
    if len(kept) != 1 + len(talk.turns):
        raise Wrong("a turn is lost")
    return [talk.last.as_json(), talk.last.figures, [as_json(part) for part in heard]]


def _chat_seeds() -> list[bytes]:
    return [_event_made(random.Random(number)) for number in range(20)]


READERS = (
    Reader("http", _http_seeds, _http, _WORDS, _http_made),
    Reader("sse", _chat_seeds, _events, _WORDS, _event_made),
    Reader("chat", _chat_seeds, _chat, _WORDS, _event_made),
)
