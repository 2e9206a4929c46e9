"""What answers and stream events of the three ways to ask for text hold. Pure.

Source of the shapes: answers and streams recorded from the real MindIE-LLM 3.0.0 on a CPU, the OpenAI API
reference, and what other engines and gateways send (vLLM, SGLang, Azure, Mistral, Ollama: their documents).
MindIE 1.0.0's and 2.x's answers are taken to be those of 3.0.0 (from documents only).

In an ``/infer`` stream of 3.0.0 the last token has no event with its text: the last event says the whole text
instead, whether the answer ended at the end-of-text token or at the limit. The end-of-text token is counted
by every path, so an answer that ends there counts one token more than it has with text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lingctl.node.foreign_json import foreign_json
from lingctl.serving.trouble import ExchangeTrouble

Data = Mapping[str, object]

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALVES = "".join(map(chr, range(0xD800, 0xE000)))
_LONGEST_CHARACTER = 8
_MOST_TOKENS = 1 << 40


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request, as the service counts them; None for what it does not tell.

    ``completion`` includes the end-of-text token, which has no text.
    """

    prompt: int | None
    completion: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Piece:
    """What one answer or one stream event holds."""

    # generated text (of this event only, in a stream): the answer, or the refusal in its place
    text: str = ""
    finish_reason: str = ""  # why generation ended, empty while it goes on
    usage: Usage | None = None  # token counts, where told
    whole: str | None = None  # the full text, which some last stream events repeat
    last: bool = False  # whether generation ends with it
    reasoning: str = ""  # what a reasoning model thinks before it answers
    tool_call: str = ""  # names and arguments of the functions that it calls
    # of thoughts that stand in the text (``thoughts``): whether it brings tokens of which nothing is told, or
    # not yet, such as a tag; whether its text and thoughts are all that there is so far, told anew; whether
    # there are such thoughts
    brought: bool = False
    afresh: bool = False
    inline: bool = False
    seconds: float = 0.0  # that a whole answer took

    @property
    def has_tokens(self) -> bool:
        """Whether it brings tokens of any kind."""
        return bool(self.text or self.reasoning or self.tool_call or self.brought)


def parse_object(payload: bytes) -> Data | ExchangeTrouble:
    """A JSON object, or a Trouble. Half a character, as services that cut texts by tokens send, is kept."""
    try:
        data = foreign_json(payload.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        return _malformed(f"not JSON ({error})", payload)
    return data if isinstance(data, dict) else _malformed("not a JSON object", payload)


def joined(pieces: Iterable[str]) -> str:
    """The text that pieces make: characters that were cut in two are whole again, halves without their other
    half are replacement characters.
    """
    text = "".join(pieces)
    if text.isascii():
        return text
    text = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    escaped = "".join(
        "\ufffd" if "\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" else c for c in text
    )
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Joiner:
    """Joins pieces as they come: half a character at the end is held back until its other half is there."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._held = ""

    @property
    def told(self) -> str:
        """All that could be shown."""
        return "".join(self._told)

    def feed(self, piece: str) -> str:
        """What can be shown now."""
        text = self._held + piece
        whole = len(text.rstrip(_HALVES))
        self._held = text[whole:]
        if len(self._held) > _LONGEST_CHARACTER:
            whole, self._held = len(text), ""
        return self._tell(text[:whole])

    def forget_half(self) -> None:
        """What is held back comes again."""
        self._held = ""

    def end(self) -> str:
        """What is left."""
        left, self._held = self._held, ""
        return self._tell(left)

    def _tell(self, pieces: str) -> str:
        self._told.append(joined([pieces]))
        return self._told[-1]


def read_chat(data: Data) -> Piece | ExchangeTrouble:
    """What a whole answer of ``/v1/chat/completions`` holds."""
    return _read_choice(data, lambda choice: _said(choice.get("message")))


def read_completion(data: Data) -> Piece | ExchangeTrouble:
    """What a whole answer of ``/v1/completions`` holds."""
    return _read_choice(data, lambda choice: _Said(t) if isinstance(t := choice.get("text"), str) else None)


def _read_choice(data: Data, said_in: Callable[[Data], _Said | None]) -> Piece | ExchangeTrouble:
    choice = first_choice(data.get("choices"))
    said = said_in(choice) if choice else None
    if choice is None or said is None:
        return _malformed("no text in choices[0]", data)
    usage, finish = read_usage(data.get("usage")), _word(choice.get("finish_reason"))
    text, thoughts = joined([said.text]), joined([said.reasoning])
    return Piece(text, finish, usage, reasoning=thoughts, tool_call=said.tool_call)


def read_chat_event(data: Data) -> Piece | ExchangeTrouble:
    """What an event of ``/v1/chat/completions`` holds."""
    return _read_choice_event(data, lambda choice: _said(choice.get("delta") or {}))


def read_completion_event(data: Data) -> Piece | ExchangeTrouble:
    """What an event of ``/v1/completions`` holds."""
    return _read_choice_event(data, lambda choice: _said({"content": choice.get("text")}))


def _read_choice_event(data: Data, said_in: Callable[[Data], _Said | None]) -> Piece | ExchangeTrouble:
    usage = read_usage(data.get("usage"))
    choices = data.get("choices")
    choice = first_choice(choices)
    if choice is None:
        # vLLM's last chunk has an empty list of choices and only the usage, Azure's first one not even that.
        return Piece(usage=usage) if usage or choices == [] else _malformed("neither choices nor usage", data)
    said = said_in(choice)
    if said is None:
        return _malformed("no delta in choices[0]", data)
    whole, finish = data.get("full_text"), _word(choice.get("finish_reason"))
    told = whole if isinstance(whole, str) else None
    return Piece(said.text, finish, usage, told, bool(finish), said.reasoning, said.tool_call)


class _Said(NamedTuple):
    text: str
    reasoning: str = ""
    tool_call: str = ""


def _said(message: object) -> _Said | None:
    """What a message or a delta says; None where it has not the form of one.

    Names of a model's thoughts: ``reasoning_content`` (DeepSeek, vLLM before 0.12, SGLang), ``reasoning``
    (vLLM, OpenRouter, Ollama), parts of type ``thinking`` (Mistral).
    """
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    if len(message) == 1 and isinstance(content, str):  # all but a few events of a load
        return _Said(content)
    text, thoughts = _parts(content) if isinstance(content, list) else (content, "")
    refusal, calls = message.get("refusal"), message.get("tool_calls") or [message.get("function_call")]
    if not isinstance(text, str | None):
        return None
    named = next((v for k in ("reasoning_content", "reasoning") if isinstance(v := message.get(k), str)), "")
    return _Said(
        (text or "") + (refusal if isinstance(refusal, str) else ""),
        thoughts + named,
        "".join(_call(call) for call in calls) if isinstance(calls, list) else "",
    )


def _parts(parts: list[object]) -> tuple[str, str]:
    """Text and thoughts of a content that is a list of parts."""
    text = thoughts = ""
    for part in parts:
        if not isinstance(part, dict):
            continue
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            thoughts += _parts(thinking)[0]
        elif isinstance(thinking, str):
            thoughts += thinking
        elif isinstance(part.get("text"), str):
            text += part["text"]
    return text, thoughts


def _call(call: object) -> str:
    """Name and arguments of one call, or of the part of it that a stream's event brings."""
    if not isinstance(call, dict):
        return ""
    function = call.get("function", call)
    values = (function.get("name"), function.get("arguments")) if isinstance(function, dict) else ()
    return "".join(value for value in values if isinstance(value, str))


def read_infer(data: Data) -> Piece | ExchangeTrouble:
    """What a whole answer of ``/infer`` holds."""
    text = data.get("generated_text")
    if not isinstance(text, str):
        return _malformed("no generated_text", data)
    return Piece(text, *_details(data))


def read_infer_event(data: Data) -> Piece | ExchangeTrouble:
    """What an event of ``/infer`` holds."""
    token, whole = data.get("token"), data.get("generated_text")
    if not isinstance(token, dict) and not isinstance(whole, str):
        return _malformed("neither token nor generated_text", data)
    text = _word(token.get("text")) if isinstance(token, dict) else ""
    finish, usage = _details(data)
    full = whole if isinstance(whole, str) else None
    return Piece(text, finish, usage, full, last=full is not None)


def _details(data: Data) -> tuple[str, Usage | None]:
    details = data.get("details")
    if not isinstance(details, dict):
        return "", None
    made, finish = _count(details.get("generated_tokens")), _word(details.get("finish_reason"))
    return finish, None if made is None else Usage(None, made, None)


def read_usage(data: object) -> Usage | None:
    """The ``usage`` object, or None where there is none or it does not count what was generated."""
    if not isinstance(data, dict):
        return None
    prompt, made, total = (_count(data.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    if made is None:
        return None
    details = data.get("completion_tokens_details")
    thoughts = _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    # xAI counts thoughts beside the answer, and in the total alone (its documents); all others within it.
    if thoughts and prompt is not None and total == prompt + made + thoughts:
        made += thoughts
    return Usage(prompt, made, total)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST_TOKENS:
        return None
    return value


def first_choice(choices: object) -> Data | None:
    """The first of ``choices``; None where there is none that could be read."""
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    return None


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _malformed(what: str, data: object) -> ExchangeTrouble:
    shown = (
        data.decode("utf-8", "replace") if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False)
    )
    return ExchangeTrouble("malformed", f"{what[:200]}: {shown[:200]}")
