"""The three ways to ask for text: paths and request bodies; what is answered is read in ``answers``. Pure.

Source of the shapes: requests answered by the real MindIE-LLM 3.0.0 on a CPU, the OpenAI API reference, the
Ling README's two requests. MindIE 1.0.0 and 2.x are taken to be the same (from documents only).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lingctl.serving.http.answers import (
    Data,
    Piece,
    parse_object,
    read_chat,
    read_chat_event,
    read_completion,
    read_completion_event,
    read_infer,
    read_infer_event,
)
from lingctl.serving.trouble import ExchangeTrouble, error_fields, http_trouble, refusal_in

ModelKind = Literal["chat", "base"]
# ``auto`` takes a model with ``base`` in its name, or one that cannot chat, for a base model.
AskedKind = ModelKind | Literal["auto"]
Turn = Mapping[str, str]
"""One message of a conversation: ``role`` and ``content``."""


# Of a request that only has to be answered. Gateways to OpenAI's newer API refuse fewer (its minimum).
A_FEW = 16


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for text, in no particular dialect."""

    prompt: str  # the user's text
    system: str = ""  # system message (chat only; empty for none)
    # earlier turns of the conversation (chat only)
    before: tuple[Turn, ...] = field(default=(), kw_only=True)
    max_tokens: int | None = 100  # most tokens to generate; the service's own default where None
    temperature: float | None = 0.0  # 0 for greedy decoding; the service's own default where None
    # go on after the end token (load tests only; not every service knows it, MindIE's ``/infer`` does not)
    ignore_eos: bool = False
    details: bool = False  # ask ``/infer`` for its counts too


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to ask."""

    name: str
    path: str  # where to post
    body: Callable[[str, Ask, bool], dict[str, object]]  # the request as JSON data
    read: Callable[[Data], Piece | ExchangeTrouble]  # the answer's Piece, or a Trouble if it has another form
    read_event: Callable[[Data], Piece | ExchangeTrouble]  # the same for one stream event
    thinks: bool = False  # whether a model may think before it answers


def parse_event(dialect: Dialect, payload: bytes) -> Piece | ExchangeTrouble:
    """The Piece in a stream event's payload; an error object inside the stream is a Trouble."""
    data = parse_object(payload)
    if isinstance(data, ExchangeTrouble):
        return data
    if data.get("error") or data.get("object") == "error":
        text, error_type = error_fields(data) or ("an empty error", "")
        return ExchangeTrouble("http", text, 0, error_type)
    piece = dialect.read_event(data)
    if not isinstance(piece, ExchangeTrouble):
        return piece
    return Piece() if data.get("type") == "ping" else refusal_in(data) or piece


def read_whole(dialect: Dialect, data: Data) -> Piece | ExchangeTrouble:
    """The Piece in a whole answer with a status of success, which may tell an error all the same."""
    piece = dialect.read(data)
    return (refusal_in(data, 200) or piece) if isinstance(piece, ExchangeTrouble) else piece


def parse_answer(dialect: Dialect, payload: bytes) -> Piece | ExchangeTrouble:
    """The same, of the answer's bytes."""
    data = parse_object(payload)
    return data if isinstance(data, ExchangeTrouble) else read_whole(dialect, data)


def no_stream(content_type: str, body: bytes) -> ExchangeTrouble:
    """What an answer says that is no event stream, though one was asked for."""
    data = parse_object(body)
    if not isinstance(data, ExchangeTrouble):
        if trouble := refusal_in(data, 200):
            return trouble
        if data.get("choices"):
            return ExchangeTrouble("malformed", "it answers whole, though a stream was asked for")
    said = http_trouble(200, body).text
    return ExchangeTrouble("malformed", f"Content-Type {content_type!r} is no event stream: {said[:200]}")


def _chat_body(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    system = [{"role": "system", "content": ask.system}] if ask.system else []
    asked = {"role": "user", "content": ask.prompt}
    return _openai(model, ask, stream) | {"messages": [*system, *ask.before, asked]}


def _completions_body(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    return _openai(model, ask, stream) | {"prompt": ask.prompt}


def _openai(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    body: dict[str, object] = {"model": model, "stream": stream}
    if ask.max_tokens is not None:
        body["max_tokens"] = ask.max_tokens
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    if stream:
        # MindIE sends usage in the last chunk unasked; vLLM only when asked.
        body["stream_options"] = {"include_usage": True}
    return body | ({"ignore_eos": True} if ask.ignore_eos else {})


def without(fields: Collection[str], body: dict[str, object]) -> dict[str, object]:
    """The request without fields that a service refuses; ``max_tokens`` goes by its newer name then."""
    kept = {name: value for name, value in body.items() if name not in fields}
    if "max_tokens" in fields and "max_tokens" in body:
        kept["max_completion_tokens"] = body["max_tokens"]
    return kept


def _infer_body(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    # /infer refuses temperature 0, so the README asks for greedy decoding by do_sample.
    greedy = ask.temperature == 0
    parameters: dict[str, object] = {"do_sample": not greedy}
    if ask.temperature is not None:
        parameters["temperature"] = 1 if greedy else ask.temperature
    if ask.max_tokens is not None:
        parameters["max_new_tokens"] = ask.max_tokens
    if ask.details:
        parameters["details"] = True
    return {"inputs": ask.prompt, "stream": stream, "parameters": parameters}


CHAT = Dialect("chat", "/v1/chat/completions", _chat_body, read_chat, read_chat_event, thinks=True)
COMPLETIONS = Dialect(
    "completions", "/v1/completions", _completions_body, read_completion, read_completion_event
)
INFER = Dialect("infer", "/infer", _infer_body, read_infer, read_infer_event)


def dialect_for(kind: ModelKind, *, mindie: bool) -> Dialect:
    """How a model is asked: a base model of MindIE by its own path, of other services by OpenAI's."""
    if kind == "chat":
        return CHAT
    return INFER if mindie else COMPLETIONS
