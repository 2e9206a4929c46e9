"""Text Generation Inference's /generate, /generate_stream and POST /.

Source: MindIE-LLM v3.0.0 single_req_tgi_text_infer_interface.cpp; seen on the real 3.0.0. The path
alone says whether the answer is a stream, but for POST /, where ``stream`` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import counts, fields, limits, parameters
from lingctl.sandbox.engine.api.prompts import checked_length, counted, encoded, text_or_parts
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

_ADAPTER = re.compile(r"[a-zA-Z0-9_./-]{1,256}")


def read(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    """Check a request and fill the wish, whose ``stream`` is set."""
    inputs = body.get("inputs")
    if inputs is None:
        raise invalid("Request should contain 'inputs' and the type should be string.")
    wish.text = text_or_parts(inputs, "inputs", empty="Inputs")
    checked_length(wish.text, service, "Inputs length must be in (0, ", "], but got ")
    wish.tokens = encoded(wish.text, service)
    counted(wish.tokens, "Inputs token length")
    rules = fields.section(body)
    limits.stop(rules, wish, longest=1024, counted=True)
    parameters.temperature(rules, wish, zero=False)
    parameters.top_k(rules, wish)
    parameters.top_p_below_1(rules, wish)
    parameters.typical_p(rules, wish)
    parameters.flag(rules, wish, "do_sample")
    parameters.seed(rules, wish)
    parameters.repetition_penalty(rules, wish)
    parameters.boolean(rules, "watermark")
    _check_adapter(rules)
    limits.max_new_tokens(rules, wish)
    parameters.flag(rules, wish, "details")
    parameters.flag(rules, wish, "decoder_input_details")
    parameters.flag(rules, wish, "return_full_text")
    limits.truncate(rules, wish)
    if wish.stream and wish.decoder_input_details:
        raise invalid("The decoder_input_details must not be true when stream is true.")
    counts.compatible(wish)
    if wish.truncate:
        wish.tokens = wish.tokens[-wish.truncate :]


def wants_stream(body: Any) -> bool:
    """What POST / is told by ``stream``."""
    value = body.get("stream") if isinstance(body, dict) else None
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid("Stream must be boolean type.")
    return value


def _check_adapter(rules: Mapping[str, Any]) -> None:
    value = fields.typed(rules, "adapter_id", "string")
    if value is not None and not _ADAPTER.fullmatch(value):
        raise invalid("The format of adapter_id is invalid.")
