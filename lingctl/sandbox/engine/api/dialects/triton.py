"""Triton's /v2/models/{m}/generate and /generate_stream, and stopInfer.

Source: MindIE-LLM v3.0.0 single_req_triton_text_infer_interface.cpp, single_req_infer_interface_base.cpp
(Stop); seen on the real 3.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import fields, limits, parameters
from lingctl.sandbox.engine.api.prompts import checked_length, counted, encoded, text_or_parts
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")


def read(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    """Check a request and fill the wish, whose ``stream`` is set."""
    read_id(body, wish)
    text = body.get("text_input")
    if text is None:
        raise invalid("The text_input not found")
    tail = f". The requestId is {wish.request_id}"
    wish.text = text_or_parts(text, "text_input", empty="Parameter text_input", tail=tail)
    words = "text_input must be necessary and data type must be string and length in (0, "
    checked_length(wish.text, service, words, "], but the length of inputs is ")
    wish.tokens = encoded(wish.text, service)
    counted(wish.tokens, "text_input token length")
    rules = fields.section(body)
    parameters.temperature(rules, wish, zero=False)
    parameters.top_k(rules, wish, zero=True)
    parameters.top_p(rules, wish)
    parameters.typical_p(rules, wish)
    parameters.flag(rules, wish, "do_sample")
    parameters.seed(rules, wish)
    parameters.repetition_penalty(rules, wish)
    parameters.boolean(rules, "watermark")
    parameters.priority(rules, wish)
    limits.max_new_tokens(rules, wish)
    parameters.flag(rules, wish, "details")
    parameters.batch_size(rules, wish)
    limits.timeout(rules, wish)


def read_id(body: Mapping[str, Any], wish: Wish) -> None:
    """The client's name of the request."""
    name = fields.typed(body, "id", "string")
    if name is not None:
        wish.user_id = checked_id(name)


def checked_id(name: str) -> str:
    """A name that is fine."""
    if not _ID.fullmatch(name):
        words = "letters, underscores(_), hyphens(-) and no more than 256 words in length."
        raise invalid(f"The id can contain only digits, {words}")
    return name


def stopped_id(body: Mapping[str, Any]) -> str:
    """The request that stopInfer names."""
    if "id" not in body:
        raise invalid("Not found id.")
    if body["id"] is None:
        raise invalid("id must not be null.")
    name: str = fields.typed(body, "id", "string")
    return checked_id(name)
