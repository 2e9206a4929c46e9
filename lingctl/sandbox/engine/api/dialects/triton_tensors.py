"""Triton's /v2/models/{m}/infer: tensors of token ids.

Source: MindIE-LLM v3.0.0 single_req_triton_token_infer_interface.cpp; one request seen on the real
3.0.0. The parameters are those of the one input, not of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import fields, limits, parameters
from lingctl.sandbox.engine.api.dialects.triton import read_id
from lingctl.sandbox.engine.api.prompts import MOST_TOKENS
from lingctl.sandbox.engine.json_library import kind
from lingctl.sandbox.engine.requests.errors import ApiError, invalid
from lingctl.sandbox.engine.requests.wish import Wish

_TYPES = {"UINT32"}


def read(body: Mapping[str, Any], wish: Wish) -> None:
    """Check a request and fill the wish."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise invalid("Req should contain 'inputs' and the type should be array.")
    if len(inputs) != 1:
        raise invalid("Inputs count must be 1.")
    tensor = inputs[0]
    if not isinstance(tensor, dict):
        tensor = {}
    wish.tokens = _checked_tensor(tensor)
    read_id(body, wish)
    wish.output_name = _checked_output(body.get("outputs"))
    rules = fields.section(tensor)
    parameters.temperature(rules, wish, zero=False)
    parameters.top_k(rules, wish, zero=True)
    parameters.top_p(rules, wish)
    parameters.flag(rules, wish, "do_sample")
    parameters.seed(rules, wish)
    parameters.repetition_penalty(rules, wish)
    parameters.boolean(rules, "watermark")
    parameters.priority(rules, wish)
    limits.max_new_tokens(rules, wish)
    limits.timeout(rules, wish)
    parameters.flag(rules, wish, "details")
    parameters.batch_size(rules, wish)


def _checked_tensor(tensor: Mapping[str, Any]) -> list[int]:
    name = tensor.get("name")
    if not isinstance(name, str):
        raise invalid("Cannot find name in inputs or its type is not string")
    if len(name.encode()) > 256:
        raise invalid("The length of name set in inputs exceeds 256.")
    length = _checked_shape(tensor.get("shape"))
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str):
        raise invalid("Cannot find datatype in inputs or its type is not string")
    if datatype not in _TYPES:
        raise invalid(f"Unsupported datatype, got {datatype}.")
    data = tensor.get("data")
    if not isinstance(data, list):
        raise invalid("Cannot find data in inputs or its type is not array")
    if len(data) > MOST_TOKENS:
        words = f"no more than max token id length, which is {MOST_TOKENS}."
        raise invalid(f"Data element must be {words}")
    if len(data) != length:
        raise invalid(f"Data size should be {length}, got {len(data)}.")
    if not all(kind(item) in ("integer", "unsigned") for item in data):
        raise invalid("Data element must be integer type.")
    return list(data)


def _checked_shape(shape: Any) -> int:
    if not isinstance(shape, list):
        raise invalid("Cannot find shape in inputs or its type is not array")
    if not all(kind(item) == "unsigned" for item in shape):
        raise invalid("Shape element must be integer type.")
    if len(shape) == 1:
        return int(shape[0])
    if len(shape) == 2 and shape[0] == 1 and 0 < shape[1] <= MOST_TOKENS:
        return int(shape[1])
    raise _bad_shape()


def _bad_shape() -> ApiError:
    words = f"and the last element's value must be in (0,{MOST_TOKENS}]."
    return invalid(f"Shape must be at most two-dimensional, {words}")


def _checked_output(outputs: Any) -> str:
    if not isinstance(outputs, list):
        raise invalid("Req should contain 'outputs' and the type should be array.")
    if len(outputs) != 1:
        raise invalid(f"Outputs size should be 1, got {len(outputs)}.")
    name = outputs[0].get("name") if isinstance(outputs[0], dict) else None
    if not isinstance(name, str):
        raise invalid("Outputs name must be non-empty string.")
    return name or "output0"
