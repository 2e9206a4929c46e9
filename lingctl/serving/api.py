"""The three ways to ask for text: request bodies, and what their answers and stream events mean. Pure.

Source of the shapes: answers and streams recorded from the real MindIE-LLM 3.0.0 on a CPU, the OpenAI API
reference, the Ling README's two requests. MindIE 1.0.0's and 2.x's answers are taken to be the same (from
documents only).

In an ``/infer`` stream of 3.0.0 the last token has no event with its text: the last event says the whole text
instead, whether the answer ended at the end-of-text token or at the limit. The end-of-text token is counted
by every path, so an answer that ends there counts one token more than it has with text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from lingctl.serving.trouble import ExchangeTrouble, error_fields

ModelKind = Literal["chat", "base"]
Data = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request, as the service counts them; None for what it does not tell.

    ``completion`` includes the end-of-text token, which has no text.
    """

    prompt: int | None
    completion: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for text, in no particular dialect."""

    prompt: str  # the user's text
    system: str = ""  # system message (chat only; empty for none)
    max_tokens: int = 100  # most tokens to generate
    temperature: float = 0.0  # 0 for greedy decoding
    # go on after the end token (load tests only; not every service knows it, MindIE's ``/infer`` does not)
    ignore_eos: bool = False
    details: bool = False  # ask ``/infer`` for its counts too


@dataclass(frozen=True, slots=True)
class Piece:
    """What one answer or one stream event holds."""

    text: str = ""  # generated text (of this event only, in a stream)
    finish_reason: str = ""  # why generation ended, empty while it goes on
    usage: Usage | None = None  # token counts, where told
    whole: str | None = None  # the full text, which some last stream events repeat
    last: bool = False  # whether generation ends with it


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to ask."""

    name: str
    path: str  # where to post
    body: Callable[[str, Ask, bool], dict[str, object]]  # the request as JSON data
    read: Callable[[Data], Piece | ExchangeTrouble]  # the answer's Piece, or a Trouble if it has another form
    read_event: Callable[[Data], Piece | ExchangeTrouble]  # the same for one stream event
    ends_with_done: bool = True  # whether a stream must end with ``[DONE]``


def parse_object(payload: bytes) -> Data | ExchangeTrouble:
    """A JSON object, or a Trouble."""
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError) as error:
        return _malformed(f"not JSON ({error})", payload)
    return data if isinstance(data, dict) else _malformed("not a JSON object", payload)


def parse_event(dialect: Dialect, payload: bytes) -> Piece | ExchangeTrouble:
    """The Piece in a stream event's payload; an error object inside the stream is a Trouble."""
    data = parse_object(payload)
    if isinstance(data, ExchangeTrouble):
        return data
    if "error" in data:
        text, error_type = error_fields(data) or ("an empty error", "")
        return ExchangeTrouble("http", text, 0, error_type)
    return dialect.read_event(data)


def _chat_body(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    system = [{"role": "system", "content": ask.system}] if ask.system else []
    return _openai(model, ask, stream) | {"messages": [*system, {"role": "user", "content": ask.prompt}]}


def _completions_body(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    return _openai(model, ask, stream) | {"prompt": ask.prompt}


def _openai(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    body: dict[str, object] = {
        "model": model,
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "stream": stream,
    }
    if stream:
        # MindIE sends usage in the last chunk unasked; vLLM only when asked.
        body["stream_options"] = {"include_usage": True}
    return body | ({"ignore_eos": True} if ask.ignore_eos else {})


def _infer_body(model: str, ask: Ask, stream: bool) -> dict[str, object]:
    # /infer refuses temperature 0, so the README asks for greedy decoding by do_sample.
    greedy = ask.temperature == 0
    parameters: dict[str, object] = {
        "temperature": 1 if greedy else ask.temperature,
        "max_new_tokens": ask.max_tokens,
        "do_sample": not greedy,
    }
    if ask.details:
        parameters["details"] = True
    return {"inputs": ask.prompt, "stream": stream, "parameters": parameters}


def _read_chat(data: Data) -> Piece | ExchangeTrouble:
    return _read_choice(data, lambda choice: _text(choice.get("message"), "content"))


def _read_completion(data: Data) -> Piece | ExchangeTrouble:
    return _read_choice(data, lambda choice: _text(choice, "text"))


def _read_choice(data: Data, text_of: Callable[[Data], str | None]) -> Piece | ExchangeTrouble:
    choice = _first(data.get("choices"))
    text = text_of(choice) if choice else None
    if choice is None or text is None:
        return _malformed("no text in choices[0]", data)
    return Piece(text, _word(choice.get("finish_reason")), read_usage(data.get("usage")))


def _read_chat_event(data: Data) -> Piece | ExchangeTrouble:
    return _read_choice_event(data, lambda choice: _text(choice.get("delta"), "content", absent=""))


def _read_completion_event(data: Data) -> Piece | ExchangeTrouble:
    return _read_choice_event(data, lambda choice: _text(choice, "text", absent=""))


def _read_choice_event(data: Data, text_of: Callable[[Data], str | None]) -> Piece | ExchangeTrouble:
    usage = read_usage(data.get("usage"))
    choice = _first(data.get("choices"))
    if choice is None:
        # vLLM's last chunk has an empty list of choices and only the usage.
        return Piece(usage=usage) if usage else _malformed("neither choices nor usage", data)
    text = text_of(choice)
    if text is None:
        return _malformed("no delta in choices[0]", data)
    whole, finish = data.get("full_text"), _word(choice.get("finish_reason"))
    return Piece(text, finish, usage, whole if isinstance(whole, str) else None, bool(finish))


def _read_infer(data: Data) -> Piece | ExchangeTrouble:
    text = data.get("generated_text")
    if not isinstance(text, str):
        return _malformed("no generated_text", data)
    return Piece(text, *_details(data))


def _read_infer_event(data: Data) -> Piece | ExchangeTrouble:
    token, whole = data.get("token"), data.get("generated_text")
    if not isinstance(token, dict) and not isinstance(whole, str):
        return _malformed("neither token nor generated_text", data)
    text = token.get("text") if isinstance(token, dict) else None
    finish, usage = _details(data)
    if not isinstance(whole, str):
        return Piece(text or "", finish, usage)
    return Piece(text or "", finish, usage, whole, last=True)


def _details(data: Data) -> tuple[str, Usage | None]:
    details = data.get("details")
    if not isinstance(details, dict):
        return "", None
    made, finish = details.get("generated_tokens"), _word(details.get("finish_reason"))
    return finish, Usage(None, made, None) if isinstance(made, int) else None


def read_usage(data: object) -> Usage | None:
    """The ``usage`` object, or None where there is none or a count is no integer."""
    if not isinstance(data, dict):
        return None
    counts = [data.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    prompt, completion, total = counts
    if isinstance(prompt, int) and isinstance(completion, int) and isinstance(total, int):
        return Usage(prompt, completion, total)
    return None


def _first(choices: object) -> Data | None:
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    return None


def _text(holder: object, key: str, absent: str | None = None) -> str | None:
    if not isinstance(holder, dict):
        return None
    value = holder.get(key)
    if value is None and "reasoning_content" in holder:
        return ""
    return value if isinstance(value, str) else absent if value is None else None


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _malformed(what: str, data: object) -> ExchangeTrouble:
    shown = (
        data.decode("utf-8", "replace") if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False)
    )
    return ExchangeTrouble("malformed", f"{what}: {shown[:200]}")


CHAT = Dialect("chat", "/v1/chat/completions", _chat_body, _read_chat, _read_chat_event)
COMPLETIONS = Dialect(
    "completions", "/v1/completions", _completions_body, _read_completion, _read_completion_event
)
INFER = Dialect("infer", "/infer", _infer_body, _read_infer, _read_infer_event, ends_with_done=False)


def dialect_for(kind: ModelKind, *, mindie: bool) -> Dialect:
    """How a model is asked: a base model of MindIE by its own path, of other services by OpenAI's."""
    if kind == "chat":
        return CHAT
    return INFER if mindie else COMPLETIONS
