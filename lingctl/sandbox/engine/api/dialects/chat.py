"""/v1/chat/completions.

Source: MindIE-LLM v3.0.0 single_req_vllm_openai_infer_interface.cpp, single_req_openai_infer_interface.cpp;
the first seen on the real 3.0.0, the second (``openAiSupport`` other than ``vllm``) not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api import counts, limits, parameters
from lingctl.sandbox.engine.api.dialects import chat_template, messages, response_format, tools
from lingctl.sandbox.engine.api.fields import required
from lingctl.sandbox.engine.api.prompts import checked_length, counted, encoded_chat
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish


def read(body: Mapping[str, Any], service: Service, wish: Wish) -> None:
    """Check a chat and fill the wish."""
    vllm = service.speaks_vllm
    wish.step = "chat model"
    body = {**body, "messages": messages.joined_parts(body.get("messages"))}
    model = checked_model(body)
    if model != service.name:
        raise invalid("Model not found" if vllm else f"Got model {model}, but not found in server")
    wish.step = "chat tools"
    wish.tools = tools.read(body)
    wish.step = "chat template"
    template = chat_template.read(body, wish)
    wish.step = "chat messages"
    if wish.tools is None:
        said = messages.check(body)
        tail = ", but the length of inputs is "
    else:
        said = messages.check_with_tools(body)
        tail = "], but the length of inputs is "
    wish.text = dump(said)
    checked_length(wish.text, service, "Messages len not in (0, ", tail)
    wish.step = "chat tokens"
    wish.tokens = encoded_chat(said, service, wish, template)
    counted(
        wish.tokens,
        "Messages token length",
        ". This could be caused by invalid input format or empty content.",
    )
    wish.step = ""
    _read_parameters(body, service, wish, vllm)
    counts.chat(wish)
    counts.compatible(wish)


def _read_parameters(body: Mapping[str, Any], service: Service, wish: Wish, vllm: bool) -> None:
    parameters.flag(body, wish, "ignore_eos")
    if vllm:
        limits.stop(body, wish)
    else:
        limits.stop(body, wish, longest=1024, counted=True)
    limits.stop_token_ids(body, wish)
    parameters.include_stop(body, wish)
    if vllm:
        parameters.temperature(body, wish, zero=True)
        parameters.top_k(body, wish, minus_one=True)
    else:
        parameters.temperature(body, wish, zero=True, highest=2.0)
        parameters.top_k(body, wish, zero=True)
    parameters.top_p(body, wish)
    parameters.seed(body, wish)
    if vllm:
        parameters.thinking_budget(body, wish)
    parameters.repetition_penalty(body, wish, 2.0)
    parameters.frequency_penalty(body, wish)
    parameters.presence_penalty(body, wish)
    parameters.skip_special_tokens(body, wish)
    counts.best_of(body, wish)
    counts.n(body, wish, service.raw.schedule)
    counts.beam_search(body, wish)
    parameters.chat_logprobs(body, wish)
    limits.max_tokens(body, wish, service.raw.schedule["maxIterTimes"])
    parameters.flag(body, wish, "stream")
    if vllm:
        response_format.check(body)


def checked_model(body: Mapping[str, Any]) -> str:
    """The model's name as the client wrote it."""
    absent = "Request contains not model or model null"
    model = required(body, "model", str, absent, "Request param model must be string")
    if not model:
        raise invalid("Request param model must be not empty")
    return model
