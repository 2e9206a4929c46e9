"""/v1/completions.

Source: MindIE-LLM v3.0.0 single_req_vllm_openai_completions_infer_interface.cpp; seen on the real 3.0.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import counts, limits, parameters
from lingctl.sandbox.engine.api.dialects import response_format
from lingctl.sandbox.engine.api.dialects.chat import checked_model
from lingctl.sandbox.engine.api.prompts import MOST_TOKENS, encoded
from lingctl.sandbox.engine.model.text import utf16_length
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish


def read(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    """Check a completion and fill the wish."""
    wish.step = "completions model"
    if checked_model(body) != service.name:
        raise invalid("Not found given model, please check modelName in config file.")
    wish.step = "completions prompt"
    _read_prompt(body.get("prompt"), service, wish)
    wish.step = ""
    parameters.flag(body, wish, "ignore_eos")
    limits.stop(body, wish)
    parameters.include_stop(body, wish)
    limits.stop_token_ids(body, wish)
    parameters.temperature(body, wish, zero=True)
    parameters.top_k(body, wish, minus_one=True)
    parameters.top_p(body, wish)
    parameters.seed(body, wish)
    parameters.repetition_penalty(body, wish, 2.0)
    parameters.frequency_penalty(body, wish)
    parameters.presence_penalty(body, wish)
    parameters.skip_special_tokens(body, wish)
    counts.best_of(body, wish)
    counts.n(body, wish, service.raw.schedule)
    counts.beam_search(body, wish)
    parameters.completion_logprobs(body, wish)
    limits.max_tokens(body, wish, service.raw.schedule["maxIterTimes"])
    parameters.flag(body, wish, "stream")
    response_format.check(body)
    counts.completions(wish)
    counts.compatible(wish)


def _read_prompt(prompt: Any, service: Service, wish: Wish) -> None:
    if prompt is None:
        raise invalid("Contains not prompt or prompt null")
    if isinstance(prompt, str):
        _check_length(utf16_length(prompt), service.request_limit, "Prompt text")
        wish.text, wish.tokens = prompt, encoded(prompt, service)
    elif isinstance(prompt, list):
        if not prompt:
            raise invalid("Prompt array cannot be empty.")
        if not all(isinstance(item, int) and not isinstance(item, bool) for item in prompt):
            raise invalid("All elements of the prompt array must be integers.")
        # The server has the ids decoded, which takes a tokenizer process.
        with service.tokenizers.process(0):
            pass
        wish.tokens = [item - 2**64 if item >= 2**63 else item for item in prompt]
    else:
        raise invalid("The type of prompt is abnormal,prompt must be str or integer list.")
    _check_length(len(wish.tokens), MOST_TOKENS, "Prompt token")


def _check_length(length: int, most: int, what: str) -> None:
    if not 0 < length <= most:
        words = f"should be greater than 0 and less than or equal to {most}, but got {length}"
        raise invalid(f"Length of {what} {words}")
