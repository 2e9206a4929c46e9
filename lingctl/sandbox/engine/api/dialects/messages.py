"""The messages of a chat.

Source: MindIE-LLM v3.0.0 single_req_vllm_openai_infer_interface.cpp, ParseTextInput and
ValidMessagesArray; most words seen on the real 3.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lingctl.sandbox.engine.api import media
from lingctl.sandbox.engine.api.fields import required
from lingctl.sandbox.engine.requests.errors import invalid

Message = dict[str, Any]

_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_\u4e00-\u9fa5-]{1,64}")
_FUNCTION_WORDS = (
    "The name of function must be a-z, A-Z, 0-9, common chinese characters, underscores and dashe "
    "within max length of 64, unexpected function name: "
)
_NO_CONTENT = "Request param contains not content or content null"
# Of a type that the server did not think of.
_UNEXPECTED = "Check open ai req parameter error"
_ROLES = ("system", "assistant", "user", "tool")


def joined_parts(messages: Any) -> Any:
    """The messages with their text parts joined, up to the first one that has media."""
    if not isinstance(messages, list):
        return messages
    result: list[Any] = list(messages)
    for place, message in enumerate(result):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            continue
        if media.has_media(content):
            break
        texts = [
            part["text"]
            for part in content
            if isinstance(part, dict) and part.get("type") == "text" and "text" in part
        ]
        if not all(isinstance(text, str) for text in texts):
            raise invalid(_UNEXPECTED)
        result[place] = {**message, "content": "".join(texts)}
    return result


def check(body: Mapping[str, Any]) -> list[Message]:
    """The messages of a chat without tools."""
    other = "Request param messages not arr or arr is empty"
    messages = required(body, "messages", list, "Request param contains not messages or messages null", other)
    if not messages:
        raise invalid(other)
    for message in messages:
        _check_role(message)
        if message["role"] == "assistant":
            _check_assistant(message)
            continue
        content = message.get("content")
        if content is None:
            raise invalid(_NO_CONTENT)
        if isinstance(content, list):
            if not content:
                raise invalid("Inputs arr is empty")
            media.check_parts(content)
        elif not isinstance(content, str):
            raise invalid("The type of inputs is abnormal")
    return messages


def check_with_tools(body: Mapping[str, Any]) -> list[Message]:
    """The messages of a chat with tools, where the rules are others."""
    other = "Request param messages is not arr or arr is empty"
    messages = required(body, "messages", list, "Request param messages is null", other)
    if not messages:
        raise invalid(other)
    for message in messages:
        _check_role(message, _ROLES)
        if message["role"] == "assistant":
            _check_assistant(message)
            continue
        content = required(message, "content", str, _NO_CONTENT, _UNEXPECTED)
        if message["role"] != "tool" and not content:
            raise invalid("Request param content len should not be 0")
    return messages


def _check_role(message: Any, known: Sequence[str] = ()) -> None:
    if not isinstance(message, dict) or message.get("role") is None:
        raise invalid("Request param contains not role or role null")
    if known and message["role"] not in known:
        raise invalid("Request param contains role must be system, assistant, user or tool")
    if message["role"] != "tool":
        return
    absent = "Request param contains not tool_call_id or tool_call_id null while role is tool"
    if not required(message, "tool_call_id", str, absent, "The type of tool_call_id is abnormal"):
        raise invalid("Request param tool_call_id len should not be 0 while role is tool")


def _check_assistant(message: Message) -> None:
    calls = message.get("tool_calls")
    if calls is not None:
        items = (
            calls if isinstance(calls, list) else list(calls.values()) if isinstance(calls, dict) else [calls]
        )
        for call in items:
            _check_call(call)
        return
    other = 'Request param "content" arguments expected to be a string'
    if not required(message, "content", str, _NO_CONTENT, other):
        raise invalid('Request param "content" should not be empty')


def _check_call(call: Any) -> None:
    call = call if isinstance(call, dict) else {}
    other = 'Tool call param "id" arguments expected to be a string'
    required(call, "id", str, "Tool call param contains no id.", other)
    if call.get("type") != "function":
        raise invalid("The type of the tool. Currently, only function is supported.")
    absent = "Tool call param contains no function that the model called."
    function = required(call, "function", dict, absent, absent)
    other = "Tool call param function name expected to be a string"
    check_name(required(function, "name", str, "Tool call param contains no function name", other))
    other = "Tool call param function arguments expected to be a string"
    required(function, "arguments", str, "Tool call param contains no function arguments", other)


def check_name(name: str) -> None:
    """Whether a function may be called so."""
    if not _FUNCTION_NAME.fullmatch(name):
        raise invalid(f"{_FUNCTION_WORDS}{name}")
