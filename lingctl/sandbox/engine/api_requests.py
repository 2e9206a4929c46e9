"""What clients may ask for: the checks of each request and their texts (3.0.0's; 1.0.0 taken as equal)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingctl.sandbox.engine.fields import json_type
from lingctl.sandbox.engine.sampling import Sampling

_INT_MAX = 2147483647
_SEED_MAX = 9223372036854775807


class ApiError(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        kind: ``error_type``.
        text: ``error``.
    """

    def __init__(self, status: int, kind: str, text: str) -> None:
        super().__init__(text)
        self.status, self.kind, self.text = status, kind, text


def invalid(text: str) -> ApiError:
    """A 422."""
    return ApiError(422, "Input Validation Error", text)


@dataclass(frozen=True, slots=True)
class Wish:
    """What to generate.

    Attributes:
        prompt: text, or token ids.
        limit: most new tokens, None for the server's own.
        stop: strings that end the answer.
        messages: of a conversation, whose template makes the prompt.
        ignore_eos: go on after the end token.
    """

    prompt: str | list[int]
    limit: int | None
    sampling: Sampling
    stream: bool
    stop: tuple[str, ...] = ()
    details: bool = False
    messages: tuple[Mapping[str, Any], ...] = ()
    ignore_eos: bool = False


def parse_json(body: bytes, max_depth: int) -> Mapping[str, Any]:
    """The request's object.

    Raises:
        ApiError: no JSON object, or nested too deep.
    """
    try:
        value = json.loads(body)
    except ValueError:
        raise invalid("Failed to parse request context to json") from None
    if not isinstance(value, dict) or _depth(value) > max_depth:
        raise invalid("Failed to parse request context to json")
    return value


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(item) for item in inner if isinstance(item, (dict, list))), default=0)


def chat(body: Mapping[str, Any], model: str, vllm: bool) -> Wish:
    """Check a chat request.

    Raises:
        ApiError: with the documented text.
    """
    _check_model(body, model, vllm, "Model not found")
    messages = body.get("messages")
    if messages is None:
        raise invalid("Request param contains not messages or messages null")
    if not isinstance(messages, list) or not messages:
        raise invalid("Request param messages not arr or arr is empty")
    kwargs = body.get("chat_template_kwargs")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise invalid("chat_template_kwargs must be a JSON object")
    thinking = (kwargs or {}).get("enable_thinking", False)
    if not isinstance(thinking, bool):
        raise invalid(f"enable_thinking must be boolean, got {json_type(thinking)}")
    checked = tuple(_message(message) for message in messages)
    top = body.get("top_logprobs")
    if _flag(body, "logprobs") and top is not None and (not isinstance(top, int) or not 0 <= top <= 20):
        raise invalid(f"Parameter top_logprobs must be in [0, 20], got {json.dumps(top)}")
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        raise invalid("Parameter tool_choice string not in [none, auto, required]")
    if choice is not None and not isinstance(choice, (str, dict)):
        raise invalid("Parameter tool_choice not string or object")
    return _wish(body, "", 2.0 if not vllm else None, checked)


def _message(message: object) -> Mapping[str, Any]:
    if not isinstance(message, dict) or message.get("role") is None:
        raise invalid("Request param contains not role or role null")
    if message["role"] not in ("system", "assistant", "user", "tool"):
        raise invalid("Request param contains role must be system, assistant, user or tool")
    content = message.get("content")
    if content is None:
        raise invalid("Request param contains not content or content null")
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
    if content == "":
        raise invalid('Request param "content" should not be empty')
    return {"role": message["role"], "content": content}


def completion(body: Mapping[str, Any], model: str, vllm: bool) -> Wish:
    """Check a completion request.

    Raises:
        ApiError: with the documented text.
    """
    _check_model(body, model, vllm, "Not found given model, please check modelName in config file.")
    return _wish(body, _prompt(body.get("prompt")), None if vllm else 2.0)


def vllm_generate(body: Mapping[str, Any]) -> Wish:
    """Check vLLM's /generate, whose default is 16 tokens."""
    return _wish({"max_tokens": 16, **body}, _prompt(body.get("prompt")), None)


def _prompt(prompt: object) -> str | list[int]:
    if isinstance(prompt, str) and prompt:
        return prompt
    if isinstance(prompt, list):
        if not all(isinstance(item, int) and not isinstance(item, bool) for item in prompt):
            raise invalid("All elements of the prompt array must be integers.")
        return prompt
    raise invalid("The type of prompt is abnormal,prompt must be str or integer list.")


def native(body: Mapping[str, Any], *, top_p_one: bool = False) -> Wish:
    """Check MindIE's own /infer and TGI's /generate: temperature and top_p are stricter here.

    Args:
        body: the request.
        top_p_one: whether top_p may be 1, as on the Triton paths.

    Raises:
        ApiError: with the documented text.
    """
    inputs = body.get("inputs")
    if inputs is None:
        raise invalid("Not found inputs.")
    if not isinstance(inputs, str) or not inputs:
        raise invalid("Inputs must be necessary and data type must be string and length in (0, 4194304]")
    rules = body.get("parameters") or {}
    temperature = _number(rules, "temperature", None)
    if temperature is not None and temperature <= 0:
        raise invalid(f"Parameter temperature must be in (0.0,3.40282e+38], got {temperature}")
    if rules.get("top_p") == 1 and not top_p_one:
        raise invalid(f"Parameter top_p must be in (0.0,1.0], got {json.dumps(rules['top_p'])}")
    drawn = rules.get("do_sample")
    chosen = _sampling(rules, None)
    if drawn is False or (drawn is None and not {"temperature", "top_p", "top_k"} & set(rules)):
        chosen = Sampling(repetition_penalty=chosen.repetition_penalty)
    limit = _limit(rules, "max_new_tokens", 20)
    stop = _stop(rules.get("stop"))
    details = _flag(rules, "details")
    return Wish(inputs, limit, chosen, _stream(body), stop, details, ignore_eos=_flag(rules, "ignore_eos"))


def _check_model(body: Mapping[str, Any], model: str, vllm: bool, unknown: str) -> None:
    asked = body.get("model")
    if asked is None:
        raise invalid("Request contains not model or model null")
    if not isinstance(asked, str):
        raise invalid("Request param model must be string")
    if not asked:
        raise invalid("Request param model must be not empty")
    if asked != model:
        raise invalid(unknown if vllm else f"Got model {asked}, but not found in server")


def _wish(
    body: Mapping[str, Any],
    prompt: str | list[int],
    hottest: float | None,
    messages: tuple[Mapping[str, Any], ...] = (),
) -> Wish:
    limit = _limit(body, "max_tokens", None)
    stop = _stop(body.get("stop"))
    sampling = _sampling(body, hottest)
    if int(_number(body, "n", 1) or 1) != 1:
        raise invalid("n must be 1 while MINDIE_ASYNC_SCHEDULING_ENABLE is on")
    ignore_eos = _flag(body, "ignore_eos")
    return Wish(prompt, limit, sampling, _stream(body), stop, messages=messages, ignore_eos=ignore_eos)


def _flag(rules: Mapping[str, Any], name: str) -> bool:
    value = rules.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"Parameter {name} must be boolean, got {json.dumps(value)}")
    return bool(value)


def _stream(body: Mapping[str, Any]) -> bool:
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise invalid("Stream must be boolean type.")
    return stream


def _limit(rules: Mapping[str, Any], name: str, default: int | None) -> int | None:
    value = rules.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _INT_MAX:
        raise invalid(f"Parameter {name} must be (0,2147483647], got {json.dumps(value)}")
    return value


def _stop(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise invalid("Input validation error: param stop must be string or list of string.")
    return tuple(text for text in texts if text)


def _number(rules: Mapping[str, Any], name: str, default: float | None) -> float | None:
    value = rules.get(name)
    if value is None:
        return default
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise invalid(f"Parameter {name} must be number, got {json.dumps(value)}")
    return float(value)


def _sampling(rules: Mapping[str, Any], hottest: float | None) -> Sampling:
    temperature = _number(rules, "temperature", None)
    if temperature is not None and (temperature < 0 or (hottest is not None and temperature > hottest)):
        top = "3.40282e+38" if hottest is None else hottest
        raise invalid(f"Parameter temperature must be in (0.0,{top}], got {temperature}")
    top_p = _number(rules, "top_p", None)
    if top_p is not None and not 0 < top_p <= 1:
        raise invalid(f"Parameter top_p must be in (0.0,1.0], got {top_p}")
    top_k = rules.get("top_k")
    if top_k is not None and not (isinstance(top_k, int) and (top_k == -1 or 0 < top_k <= _INT_MAX)):
        raise invalid(f"Parameter top_k must be in -1 || (0,2147483647], got {json.dumps(top_k)}")
    seed = rules.get("seed")
    if seed is not None and not (isinstance(seed, int) and 0 <= seed <= _SEED_MAX):
        raise invalid(f"Parameter seed must be in [0, {_SEED_MAX}], got {json.dumps(seed)}")
    penalties = {name: _penalty(rules, name) for name in ("frequency_penalty", "presence_penalty")}
    repetition = _number(rules, "repetition_penalty", 1.0) or 0.0
    if not 0 < repetition <= 2:
        raise invalid(f"Parameter repetition_penalty must be in (0.0,2.0], got {repetition}")
    if temperature is None:
        temperature = 1.0 if (top_p is not None or top_k is not None) else 0.0
    return Sampling(temperature, top_k or -1, top_p or 1.0, seed, repetition, **penalties)


def _penalty(rules: Mapping[str, Any], name: str) -> float:
    value = _number(rules, name, 0.0) or 0.0
    if not -2 <= value <= 2:
        raise invalid(f"Parameter {name} must be in [-2.0,2.0], got {value}")
    return value
