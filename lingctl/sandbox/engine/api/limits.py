"""Where an answer ends and how long a request may take: rules of fields, as in ``parameters``."""

from __future__ import annotations

from typing import Any

from lingctl.sandbox.engine.api.fields import (
    INT_MAX,
    KINDS,
    Rules,
    ranged,
    typed,
)
from lingctl.sandbox.engine.json_library import dump, kind, type_name
from lingctl.sandbox.engine.model.text import utf16_length
from lingctl.sandbox.engine.requests.errors import FatalRequest, invalid
from lingctl.sandbox.engine.requests.wish import Wish

_STOP_LENGTH, _STOP_TOTAL, _STOP_COUNT = 1024, 32 * 1024, 1024


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
    if any(kind(item) not in KINDS["integer"] for item in value):
        raise invalid("Parameter stop_token_ids not list[int]")
    wish.stop_ids = sorted({item for item in value if 0 <= item <= INT_MAX})


def max_tokens(rules: Rules, wish: Wish, longest: int) -> None:
    """``max_tokens``; without it, as long as the server allows."""
    value = rules.get("max_tokens")
    if value is None:
        wish.limit = longest
        return
    if kind(value) not in KINDS["integer"]:
        raise invalid("Parameter max_tokens not number_integer")
    if not 0 < value <= INT_MAX:
        raise invalid(f"Parameter max_tokens must be (0,{INT_MAX}], got {dump(value)}")
    wish.limit = value


def max_new_tokens(rules: Rules, wish: Wish) -> None:
    """``max_new_tokens``, 20 where it is absent."""
    value = typed(rules, "max_new_tokens", "integer")
    if value is None:
        return
    if not 0 < value <= INT_MAX:
        raise invalid(f"Parameter max_new_tokens must be in (0,{INT_MAX}], got {dump(value)}.")
    wish.limit = value


_SECONDS = "must be strictly positive and small than 65535 seconds"
timeout = ranged("timeout", "unsigned", 1, 65535, f"Parameter timeout {_SECONDS}, got {{}}.")


def truncate(rules: Rules, wish: Wish) -> None:
    """``truncate``: only the last tokens of the prompt are taken."""
    value = typed(rules, "truncate", "integer")
    if value is None:
        return
    if not 0 < value % 2**32 <= INT_MAX:
        raise invalid(f"truncate must be in (0,{INT_MAX}], got {dump(value)}.")
    wish.truncate = value % 2**32
