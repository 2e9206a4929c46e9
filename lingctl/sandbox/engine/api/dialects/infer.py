"""MindIE's own /infer and /infer_token, which are the same.

Source: MindIE-LLM v3.0.0 single_req_self_develop_infer_interface.cpp; seen on the real 3.0.0. There is no
``stop`` and no ``ignore_eos`` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import fields, limits, parameters
from lingctl.sandbox.engine.api.prompts import MOST_TOKENS, checked_length, counted, encoded, text_or_parts
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish


def read(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    """Check a request and fill the wish."""
    _read_prompt(body, service, wish)
    rules = fields.section(body)
    parameters.temperature(rules, wish, zero=False)
    parameters.top_k(rules, wish)
    parameters.top_p_below_1(rules, wish)
    parameters.typical_p(rules, wish)
    parameters.flag(rules, wish, "do_sample")
    parameters.seed(rules, wish)
    parameters.repetition_penalty(rules, wish)
    parameters.boolean(rules, "watermark")
    parameters.priority(rules, wish)
    limits.max_new_tokens(rules, wish)
    limits.timeout(rules, wish)
    parameters.flag(rules, wish, "details")
    parameters.flag(body, wish, "stream")


def _read_prompt(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    if "inputs" in body and "input_id" in body:
        raise invalid("Input conflict.")
    if "inputs" in body:
        if body["inputs"] is None:
            raise invalid("Inputs must not be null")
        wish.text = text_or_parts(body["inputs"], "inputs", empty="Inputs")
        words = "Inputs must be necessary and data type must be string and length in (0, "
        checked_length(wish.text, service, words, "], but the length of inputs is ")
        wish.tokens = encoded(wish.text, service)
    elif "input_id" in body:
        wish.tokens = _checked_ids(body["input_id"])
    else:
        raise invalid("Not found inputs.")
    counted(wish.tokens, "Inputs token length")


def _checked_ids(ids: Any) -> list[int]:
    if ids is None:
        raise invalid("Input_id should not be empty")
    if not isinstance(ids, list):
        raise invalid("Parameter input_id must be an array")
    for number in ids:
        if not isinstance(number, int) or isinstance(number, bool):
            raise invalid("Parameter input_id must be integer")
        if not 0 <= number <= MOST_TOKENS:
            raise invalid("Data element in param input_id is invalid")
    return list(ids)
