"""The rules of single fields: each reads one field into a wish, or refuses in the server's words.

Source: MindIE-LLM v3.0.0 src/server/endpoint/utils/infer_param.cpp and parse_protocol.cpp; most words seen on
the real 3.0.0. A field that is null counts as absent. A number is an ``integer`` also if it is ``unsigned``,
and any number is a ``float``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Literal

from lingctl.sandbox.engine.api.json_text import dump, kind, type_name
from lingctl.sandbox.engine.model.text import utf16_length
from lingctl.sandbox.engine.requests.errors import FatalRequest, invalid
from lingctl.sandbox.engine.requests.wish import Wish

Rules = Mapping[str, Any]
Flag = Literal[
    "stream", "ignore_eos", "do_sample", "details", "decoder_input_details", "return_full_text",
]  # fmt: skip

INT_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1
_FLOAT_MAX = 3.4028234663852886e38
_STOP_LENGTH, _STOP_TOTAL, _STOP_COUNT = 1024, 32 * 1024, 1024
_KINDS = {
    "float": ("float", "integer", "unsigned"),
    "integer": ("integer", "unsigned"),
}


def typed(rules: Rules, name: str, wanted: str) -> Any:
    """A field's value, None where it is absent or null.

    Args:
        rules: the object that holds it; anything else holds nothing.
        name: of the field.
        wanted: the library's name of the type.

    Raises:
        ApiError: it has another type.
    """
    value = rules.get(name) if isinstance(rules, Mapping) else None
    if value is not None and kind(value) not in _KINDS.get(wanted, (wanted,)):
        raise invalid(f"{name} must be {wanted} type.")
    return value


def section(body: Rules, name: str = "parameters") -> Rules:
    """An object inside the body, empty where it is absent or null."""
    return typed(body, name, "object") or {}


def flag(rules: Rules, wish: Wish, name: Flag) -> None:
    """A boolean that stays as it is where it is absent."""
    value = typed(rules, name, "boolean")
    if value is not None:
        setattr(wish, name, value)


def boolean(rules: Rules, name: str) -> None:
    """A boolean that changes nothing here."""
    typed(rules, name, "boolean")


def temperature(rules: Rules, wish: Wish, *, zero: bool, highest: float = _FLOAT_MAX) -> None:
    """``temperature``.

    Args:
        rules: the object that holds it.
        wish: what is wanted.
        zero: whether 0 is fine.
        highest: largest value.
    """
    value = typed(rules, "temperature", "float")
    if value is None:
        return
    if not ((value >= 0 if zero else value > 0) and value <= highest):
        raise invalid(f"Parameter temperature must be in (0.0,{_printed(highest)}], got {dump(value)}.")
    wish.temperature = float(value)


def top_k(rules: Rules, wish: Wish, *, zero: bool = False, minus_one: bool = False) -> None:
    """``top_k``, with or without 0 and -1."""
    value = typed(rules, "top_k", "integer")
    if value is None:
        return
    value_64 = _as_int64(value)
    if value_64 == -1 and minus_one:
        wish.top_k = 0
        return
    if value_64 > INT_MAX or value_64 < (0 if zero else 1):
        raise invalid(f"Parameter top_k must be in -1 || (0,{INT_MAX}], got {dump(value)}")
    wish.top_k = value


def top_p(rules: Rules, wish: Wish, *, one: bool = True) -> None:
    """``top_p``, with or without 1 itself."""
    value = typed(rules, "top_p", "float")
    if value is None:
        return
    if not (value > 0 and (value <= 1 if one else value < 1)):
        raise invalid(f"Parameter top_p must be in (0.0,1.0], got {dump(value)}.")
    wish.top_p = float(value)


def typical_p(rules: Rules) -> None:
    """``typical_p``, which changes nothing here."""
    value = typed(rules, "typical_p", "float")
    if value is not None and not 0 < value <= 1:
        raise invalid(f"Parameter typical_p must be in (0.0,1.0], got {dump(value)}.")


def seed(rules: Rules, wish: Wish) -> None:
    """``seed``; one is drawn where there is none."""
    value = typed(rules, "seed", "unsigned")
    if value is None:
        wish.seed = secrets.randbits(63)
        return
    if value > _INT64_MAX:
        raise invalid(f"Parameter seed must be in [0, {_INT64_MAX}], got {dump(value)}.")
    wish.seed = value


def repetition_penalty(rules: Rules, wish: Wish, highest: float = _FLOAT_MAX) -> None:
    """``repetition_penalty``."""
    value = typed(rules, "repetition_penalty", "float")
    if value is None:
        return
    if not 0 < value <= highest:
        limit = _printed(highest)
        raise invalid(f"Parameter 'repetition_penalty' must be in (0.0, {limit}], got {dump(value)}.")
    wish.repetition_penalty = float(value)


def frequency_penalty(rules: Rules, wish: Wish) -> None:
    """``frequency_penalty``."""
    value = typed(rules, "frequency_penalty", "float")
    if value is None:
        return
    if not -2 <= value <= 2:
        raise invalid(f"Parameter frequency_penalty should be in [-2.0, 2.0], got {dump(value)}.")
    wish.frequency_penalty = float(value)


def presence_penalty(rules: Rules, wish: Wish) -> None:
    """``presence_penalty``."""
    value = typed(rules, "presence_penalty", "float")
    if value is None:
        return
    if not -2 <= value <= 2:
        raise invalid(f"Parameter presence_penalty not in [-2.0, 2.0], but got {dump(value)}.")
    wish.presence_penalty = float(value)


def skip_special_tokens(rules: Rules, wish: Wish) -> None:
    """``skip_special_tokens``."""
    value = typed(rules, "skip_special_tokens", "boolean")
    wish.skip_special = True if value is None else value


def include_stop(rules: Rules, wish: Wish) -> None:
    """``include_stop_str_in_output``, looked at only where something stops the answer."""
    if "stop" in rules or "stop_token_ids" in rules:
        wish.include_stop = bool(typed(rules, "include_stop_str_in_output", "boolean"))


def stop(rules: Rules, wish: Wish, *, longest: int = _STOP_TOTAL, counted: bool = False) -> None:
    """``stop``: a string or a list of strings.

    Args:
        rules: the object that holds it.
        wish: what is wanted.
        longest: most UTF-16 units of a single string.
        counted: whether the list's length is limited.

    Raises:
        ApiError: another type, or a length.
        FatalRequest: an item of the list is no string; the server takes it for one before it looks.
    """
    value = rules.get("stop")
    if value is None:
        return
    if isinstance(value, list):
        _stop_list(value, wish, counted)
        return
    if not isinstance(value, str):
        raise invalid("Input validation error: param stop must be string or list[string]")
    length = utf16_length(value)
    if not 1 <= length <= longest:
        words = f"length of `stop` must be in [1, {longest}], but got {length}"
        raise invalid(f"Input validation error: {words}")
    wish.stop = [value]


def _stop_list(values: list[Any], wish: Wish, counted: bool) -> None:
    total, fine = 0, True
    for value in values:
        if not isinstance(value, str):
            raise FatalRequest(type_name(value))
        length = utf16_length(value)
        if not 1 <= length <= _STOP_LENGTH:
            fine = False
            break
        total += length
    if not fine or total > _STOP_TOTAL or (counted and len(values) > _STOP_COUNT):
        words = f"and item length in [1, {_STOP_LENGTH}] with total <= {_STOP_TOTAL}"
        raise invalid(f"Input validation error: `stop` must be list[string] if list, {words}")
    wish.stop = list(values)


def stop_token_ids(rules: Rules, wish: Wish) -> None:
    """``stop_token_ids``; what is no id at all is left out."""
    value = rules.get("stop_token_ids")
    if value is None:
        return
    if not isinstance(value, list):
        raise invalid("Parameter stop_token_ids not array")
    if any(kind(item) not in _KINDS["integer"] for item in value):
        raise invalid("Parameter stop_token_ids not list[int]")
    wish.stop_ids = sorted({item for item in value if 0 <= item <= INT_MAX})


def max_tokens(rules: Rules, wish: Wish, longest: int) -> None:
    """``max_tokens``; without it, as long as the server allows."""
    value = rules.get("max_tokens")
    if value is None:
        wish.limit = longest
        return
    if kind(value) not in _KINDS["integer"]:
        raise invalid("Parameter max_tokens not number_integer")
    if not 0 < _as_int64(value) <= INT_MAX:
        raise invalid(f"Parameter max_tokens must be (0,{INT_MAX}], got {dump(value)}")
    wish.limit = value


def max_new_tokens(rules: Rules, wish: Wish) -> None:
    """``max_new_tokens``, 20 where it is absent."""
    value = typed(rules, "max_new_tokens", "integer")
    if value is None:
        return
    if not 0 < _as_int64(value) <= INT_MAX:
        raise invalid(f"Parameter max_new_tokens must be in (0,{INT_MAX}], got {dump(value)}.")
    wish.limit = value


def batch_size(rules: Rules) -> None:
    """``batch_size``, which changes nothing here."""
    value = typed(rules, "batch_size", "integer")
    if value is not None and not 0 < _as_int64(value) <= INT_MAX:
        raise invalid(f"Parameter batch_size must be in (0,{INT_MAX}], got {dump(value)}.")


def priority(rules: Rules) -> None:
    """``priority``, which changes nothing here."""
    value = typed(rules, "priority", "unsigned")
    if value is not None and not 1 <= value <= 5:
        raise invalid(f"Parameter priority must be in [1,5], got {value}.")


def timeout(rules: Rules, wish: Wish) -> None:
    """``timeout`` in seconds."""
    value = typed(rules, "timeout", "unsigned")
    if value is None:
        return
    if not 1 <= value <= 65535:
        words = "must be strictly positive and small than 65535 seconds"
        raise invalid(f"Parameter timeout {words}, got {dump(value)}.")
    wish.timeout = value


def truncate(rules: Rules, wish: Wish) -> None:
    """``truncate``: only the last tokens of the prompt are taken."""
    value = typed(rules, "truncate", "integer")
    if value is None:
        return
    if not 0 < value % 2**32 <= INT_MAX:
        raise invalid(f"truncate must be in (0,{INT_MAX}], got {dump(value)}.")
    wish.truncate = value % 2**32


def chat_logprobs(rules: Rules, wish: Wish) -> None:
    """``logprobs`` and ``top_logprobs`` of a chat."""
    wanted = typed(rules, "logprobs", "boolean")
    top = typed(rules, "top_logprobs", "unsigned")
    if top is not None and top > 20:
        raise invalid(f"Parameter top logprobs must be in [0, 20], got {dump(top)}.")
    if wanted is False and top is not None:
        words = "when using top_logprobs, logprobs must be true or null in chat completions"
        raise invalid(f"Value error, {words}")
    if wanted or top is not None:
        wish.logprobs = top or 0


def completion_logprobs(rules: Rules, wish: Wish) -> None:
    """``logprobs`` of a completion: a number."""
    value = typed(rules, "logprobs", "unsigned")
    if value is not None and value > 5:
        raise invalid(f"logprobs should be in range [0, 5], got {dump(value)}.")
    wish.logprobs = value


def thinking_budget(rules: Rules) -> None:
    """``chat_template_kwargs``' ``thinking_budget``, which changes nothing for Ling."""
    options = section(rules, "chat_template_kwargs")
    typed(options, "enable_thinking", "boolean")
    value = typed(options, "thinking_budget", "integer")
    if value is not None and not 0 < value <= INT_MAX:
        raise invalid(f"Parameter thinking_budget must be in [1,{INT_MAX}], got {dump(value)}")


def _as_int64(value: int) -> int:
    """An unsigned value beyond 63 bit is read as a negative one."""
    return value - 2**64 if value > _INT64_MAX else value


def _printed(limit: float) -> str:
    """A limit as the server's streams print it: six digits."""
    return f"{limit:g}"
