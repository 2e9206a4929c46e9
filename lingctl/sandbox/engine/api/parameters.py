"""The rules of single fields: each reads one field into a wish, or refuses in the server's words.

Source: MindIE-LLM v3.0.0 src/server/endpoint/utils/infer_param.cpp and parse_protocol.cpp; most words seen on
the real 3.0.0. A field that is null counts as absent. A number is an ``integer`` also if it is ``unsigned``,
and any number is a ``float``.
"""

from __future__ import annotations

import math
import secrets
from typing import Literal

from lingctl.sandbox.engine.api.fields import (
    FLOAT_MAX,
    INT64_MAX,
    INT_MAX,
    Rules,
    ranged,
    section,
    typed,
)
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.wish import Wish

_ABOVE_0, _BELOW_1 = math.nextafter(0, 1), math.nextafter(1, 0)

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
    words = f"Parameter temperature must be in (0.0,{_printed(highest)}], got {{}}."
    ranged("temperature", "float", 0 if zero else _ABOVE_0, highest, words)(rules, wish)


def top_k(rules: Rules, wish: Wish, *, zero: bool = False, minus_one: bool = False) -> None:
    """``top_k``, with or without 0 and -1."""
    value = typed(rules, "top_k", "integer")
    if value is None:
        return
    # An unsigned value beyond 63 bit is read as a negative one.
    if value in (-1, 2**64 - 1) and minus_one:
        wish.top_k = 0
        return
    if not (0 if zero else 1) <= value <= INT_MAX:
        raise invalid(f"Parameter top_k must be in -1 || (0,{INT_MAX}], got {dump(value)}")
    wish.top_k = value


_TOP_P, _TYPICAL_P = (f"Parameter {name} must be in (0.0,1.0], got {{}}." for name in ("top_p", "typical_p"))
top_p = ranged("top_p", "float", _ABOVE_0, 1, _TOP_P)
top_p_below_1 = ranged("top_p", "float", _ABOVE_0, _BELOW_1, _TOP_P)
typical_p = ranged("typical_p", "float", _ABOVE_0, 1, _TYPICAL_P)


def seed(rules: Rules, wish: Wish) -> None:
    """``seed``; one is drawn where there is none."""
    wish.seed = secrets.randbits(63)
    words = f"Parameter seed must be in [0, {INT64_MAX}], got {{}}."
    ranged("seed", "unsigned", 0, INT64_MAX, words)(rules, wish)


def repetition_penalty(rules: Rules, wish: Wish, highest: float = FLOAT_MAX) -> None:
    """``repetition_penalty``."""
    words = f"Parameter 'repetition_penalty' must be in (0.0, {_printed(highest)}], got {{}}."
    ranged("repetition_penalty", "float", _ABOVE_0, highest, words)(rules, wish)


frequency_penalty = ranged(
    "frequency_penalty", "float", -2, 2, "Parameter frequency_penalty should be in [-2.0, 2.0], got {}."
)
presence_penalty = ranged(
    "presence_penalty", "float", -2, 2, "Parameter presence_penalty not in [-2.0, 2.0], but got {}."
)


def skip_special_tokens(rules: Rules, wish: Wish) -> None:
    """``skip_special_tokens``."""
    value = typed(rules, "skip_special_tokens", "boolean")
    wish.skip_special = True if value is None else value


def include_stop(rules: Rules, wish: Wish) -> None:
    """``include_stop_str_in_output``, looked at only where something stops the answer."""
    if "stop" in rules or "stop_token_ids" in rules:
        wish.include_stop = bool(typed(rules, "include_stop_str_in_output", "boolean"))


batch_size = ranged(
    "batch_size", "integer", 1, INT_MAX, f"Parameter batch_size must be in (0,{INT_MAX}], got {{}}."
)
priority = ranged("priority", "unsigned", 1, 5, "Parameter priority must be in [1,5], got {}.")


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
    ranged("logprobs", "unsigned", 0, 5, "logprobs should be in range [0, 5], got {}.")(rules, wish)


def thinking_budget(rules: Rules, wish: Wish) -> None:
    """``chat_template_kwargs``' ``thinking_budget``, which changes nothing for Ling."""
    options = section(rules, "chat_template_kwargs")
    typed(options, "enable_thinking", "boolean")
    words = f"Parameter thinking_budget must be in [1,{INT_MAX}], got {{}}"
    ranged("thinking_budget", "integer", 1, INT_MAX, words)(options, wish)


def _printed(limit: float) -> str:
    """A limit as the server's streams print it: six digits."""
    return f"{limit:g}"
