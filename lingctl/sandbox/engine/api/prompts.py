"""From a prompt to its tokens, as all dialects do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lingctl.sandbox.engine.api import media
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.model.text import NoTemplate, utf16_length
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

MOST_TOKENS = 1024 * 1024


def text_or_parts(value: Any, name: str, *, empty: str, tail: str = "") -> str:
    """A prompt that is a string, or a list of parts, as text.

    Args:
        value: the field's value.
        name: of the field.
        empty: how the field is named where its list is empty.
        tail: what follows the words on another type.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid(f"The type of {name} is abnormal{tail}")
    if not value:
        raise invalid(f"{empty} arr is empty")
    media.check_parts(value)
    return dump(value)


def checked_length(text: str, service: Service, words: str, tail: str) -> None:
    """Refuse a prompt that is empty or longer than a request may be.

    Args:
        text: the prompt.
        service: knows the limit.
        words: up to the limit.
        tail: between the limit and the length.
    """
    length, limit = utf16_length(text), service.request_limit
    if not 0 < length <= limit:
        raise invalid(f"{words}{limit}{tail}{length}")


def encoded(text: str, service: Service) -> list[int]:
    """Tokens of a text, by one of the tokenizer processes; of a prompt with media Ling makes none."""
    with service.tokenizers.process(len(text.encode())):
        if media.check_download(text):
            return []
        return service.text.encode(text, service.truncated_to)


def encoded_chat(
    messages: Sequence[Mapping[str, Any]], service: Service, wish: Wish, template: str | None
) -> list[int]:
    """Tokens of a conversation.

    Raises:
        ApiError: the template refuses it, or there is none.
    """
    with service.tokenizers.process(len(wish.text.encode())):
        if media.check_download(wish.text):
            return []
        options: dict[str, Any] = {"tools": wish.tools} if wish.tools else {}
        if wish.thinking is not None:
            options["enable_thinking"] = wish.thinking
        try:
            text = service.text.chat(messages, template=template, **options)
        except NoTemplate as error:
            raise invalid(f"[Tokenizer] encode failed. {error}".partition("\n")[0]) from None
        return service.text.encode(text, service.truncated_to)


def counted(tokens: Sequence[int], words: str, tail: str = "") -> None:
    """Refuse a prompt without tokens, or with too many.

    Args:
        tokens: of the prompt.
        words: what has so many tokens.
        tail: after the number.
    """
    if not 0 < len(tokens) <= MOST_TOKENS:
        raise invalid(f"{words} must be in (0, {MOST_TOKENS}], but got {len(tokens)}{tail}")
