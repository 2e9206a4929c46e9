"""How many sequences a request asks for, and which of its features go together.

Source: MindIE-LLM v3.0.0 infer_param.cpp (AssignN to ValidateFeatureCompatibility) and each dialect's
SetReturnSeqCount; n, best_of and beam search seen on the real 3.0.0, not all of their combinations.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api.fields import Rules, ranged, typed
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.wish import Wish

_BEAM_TOKENS = 128
_FILE = "in config.json of mindie-service."


best_of = ranged("best_of", "unsigned", 1, 128, "Parameter [best_of] should be in [1, 128], got {}.")


def n(rules: Rules, wish: Wish, schedule: Mapping[str, Any]) -> None:
    """``n``, with the configuration's limits."""
    ranged("n", "unsigned", 1, 8192, "Parameter [n] should be in [1, 8192], got {}. ")(rules, wish)
    if wish.n is None:
        return
    limits = (
        ("max_batch_size", schedule["maxBatchSize"], " "),
        ("maxPrefillBatchSize", schedule["maxPrefillBatchSize"], ""),
        ("maxN", schedule.get("maxN", 8192), ""),
    )
    for name, limit, tail in limits:
        if wish.n > limit:
            advice = f"Please reduce n or increase '{name}' {_FILE}{tail}"
            raise invalid(f"The n parameter ({wish.n}) exceeds '{name}' ({limit}). {advice}")


def beam_search(rules: Rules, wish: Wish) -> None:
    """``use_beam_search``."""
    wish.beam = bool(typed(rules, "use_beam_search", "boolean"))


def chat(wish: Wish) -> None:
    """The sequences of a chat."""
    if wish.beam:
        wish.count = wish.n or 1
        return
    best, wanted = wish.best_of, wish.n
    if best is not None and wish.stream and best != wanted:
        raise invalid(f"best_of must be equal to n in stream mode, but {_told(best, wanted)}.")
    if best is not None and wanted is not None and best < wanted:
        raise invalid(f"best_of must be greater than or equal to n, but {_told(best, wanted)}.")
    wish.count = best if best is not None else wanted or 1
    if not wish.temperature and wish.count > 1:
        reason = "without using beam search when temperature is 0 or not set"
        raise invalid(f"best_of/n can not greater than 1 {reason}, but {_told(best, wanted)}.")


def completions(wish: Wish) -> None:
    """The sequences of a completion."""
    if wish.beam:
        wish.count = wish.n or 1
        return
    best, wanted = wish.best_of, wish.n
    if wish.stream:
        if best is not None and wanted is not None and best != wanted:
            raise invalid(f"best_of must be equal to n, but best_of is {best} and n is {wanted}.")
        if best is not None and wanted is None:
            raise invalid(f"best_of must be equal to n in stream mode, but best_of is {best}, n is None.")
        wish.count = wanted or 1
    else:
        if best is not None and wanted is not None and best < wanted:
            words = f"best_of is {best} and n is {wanted}."
            raise invalid(f"Best_of must be greater than or equal to n, but {words}")
        wish.count = max(best or 1, wanted or 1)
    if not wish.temperature and wish.count > 1:
        told = f"best_of is {_or(best, 'null')} and n is {_or(wanted, 'null')}"
        reason = "shouldn't be greater than 1 when sampling is disabled"
        raise invalid(f"Best_of and n {reason}, but {told}.")


def vllm(wish: Wish) -> None:
    """The sequences of vLLM's own form."""
    best, wanted = wish.best_of, wish.n
    if best is not None and wanted is not None and best < wanted:
        raise invalid(f"best_of should greater than or equal to n, but {_told(best, wanted)}.")
    wish.count = best if best is not None else wanted or 1
    if not wish.temperature and wish.count > 1:
        reason = "can not greater than 1 when temperature is 0 or not set"
        raise invalid(f"Best_of/N {reason}, but {_told(best, wanted)}.")


def compatible(wish: Wish) -> None:
    """What does not go together."""
    if wish.beam and wish.limit > _BEAM_TOKENS:
        words = f"not larger than {_BEAM_TOKENS} when the use_beam_search is on."
        raise invalid(f"Please set the max_tokens to be {words}")
    if os.environ.get("MINDIE_ASYNC_SCHEDULING_ENABLE") != "1":
        return
    tail = "while MINDIE_ASYNC_SCHEDULING_ENABLE is on"
    if wish.beam:
        raise invalid(f"use_beam_search is not supported {tail}")
    if (wish.n or wish.best_of or 1) != 1:
        raise invalid(f"n must be 1 {tail}")
    if (wish.best_of or wish.n or 1) != 1:
        raise invalid(f"best_of must be 1 {tail}")


def _told(best: int | None, wanted: int | None) -> str:
    return f"best_of is {_or(best, 'None')}, n is {_or(wanted, 'None')}"


def _or(value: int | None, word: str) -> str:
    return word if value is None else str(value)
