"""vLLM's own form of /generate.

Source: MindIE-LLM v3.0.0 single_req_vllm_infer_interface.cpp; two requests of it seen on the real 3.0.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import counts, limits, parameters
from lingctl.sandbox.engine.api.prompts import checked_length, counted, encoded, text_or_parts
from lingctl.sandbox.engine.model.text import utf16_length
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

_LONGEST_MODEL = 256


def read(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    """Check a request, which has a prompt, and fill the wish."""
    wish.text = text_or_parts(body["prompt"], "prompt", empty="Prompt")
    words = "Prompt must be necessary and data type must be string and length in (0, "
    checked_length(wish.text, service, words, "], but the length of inputs is ")
    wish.tokens = encoded(wish.text, service)
    tail = ". This could be caused by invalid input format or empty content."
    counted(wish.tokens, "Messages token length", tail)
    parameters.flag(body, wish, "ignore_eos")
    limits.stop(body, wish)
    limits.stop_token_ids(body, wish)
    parameters.include_stop(body, wish)
    parameters.temperature(body, wish, zero=True)
    parameters.top_k(body, wish, minus_one=True)
    parameters.top_p(body, wish)
    parameters.seed(body, wish)
    parameters.repetition_penalty(body, wish)
    parameters.frequency_penalty(body, wish)
    parameters.presence_penalty(body, wish)
    parameters.skip_special_tokens(body, wish)
    counts.best_of(body, wish)
    counts.n(body, wish, service.raw.schedule)
    _check_model(body)
    limits.max_tokens(body, wish, service.raw.schedule["maxIterTimes"])
    parameters.flag(body, wish, "stream")
    counts.vllm(wish)
    counts.compatible(wish)


def _check_model(body: Mapping[str, Any]) -> None:
    model = body.get("model")
    if model is None:
        return
    if not isinstance(model, str):
        raise invalid("Model must be string type.")
    length = utf16_length(model)
    if not 1 <= length <= _LONGEST_MODEL:
        words = f"length of `model` must be in [1, {_LONGEST_MODEL}], but got {length}"
        raise invalid(f"Input validation error: {words}")
