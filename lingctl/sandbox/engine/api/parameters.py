"""The rules of single fields: each reads one field into a wish, or refuses in the server's words.

Source: MindIE-LLM v3.0.0 src/server/endpoint/utils/infer_param.cpp and parse_protocol.cpp; most words seen on
the real 3.0.0. A field that is null counts as absent. A number is an ``integer`` also if it is ``unsigned``,
and any number is a ``float``.
"""

from __future__ import annotations

import secrets
from typing import Literal

from lingctl.sandbox.engine.api.fields import (
    FLOAT_MAX,
    INT64_MAX,
    INT_MAX,
    Rules,
    as_int64,
    section,
    typed,
)
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.wish import Wish

Flag = Literal[
    "stream", "ignore_eos", "do_sample", "details", "decoder_input_details", "return_full_text",
]  # fmt: skip


def flag(rules: Rules, wish: Wish, name: Flag) -> None:
    """A boolean that stays as it is where it is absent."""
    value = typed(rules, name, "boolean")
    if value is not None:
        setattr(wish, name, value)


def boolean(rules: Rules, name: str) -> None:
    """A boolean that changes nothing here."""
    typed(rules, name, "boolean")


def temperature(rules: Rules, wish: Wish, *, zero: bool, highest: float = FLOAT_MAX) -> None:
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
    value_64 = as_int64(value)
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
    if value > INT64_MAX:
        raise invalid(f"Parameter seed must be in [0, {INT64_MAX}], got {dump(value)}.")
    wish.seed = value


def repetition_penalty(rules: Rules, wish: Wish, highest: float = FLOAT_MAX) -> None:
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


def batch_size(rules: Rules) -> None:
    """``batch_size``, which changes nothing here."""
    value = typed(rules, "batch_size", "integer")
    if value is not None and not 0 < as_int64(value) <= INT_MAX:
        raise invalid(f"Parameter batch_size must be in (0,{INT_MAX}], got {dump(value)}.")


def priority(rules: Rules) -> None:
    """``priority``, which changes nothing here."""
    value = typed(rules, "priority", "unsigned")
    if value is not None and not 1 <= value <= 5:
        raise invalid(f"Parameter priority must be in [1,5], got {value}.")


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


def _printed(limit: float) -> str:
    """A limit as the server's streams print it: six digits."""
    return f"{limit:g}"
