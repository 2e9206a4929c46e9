"""Requests as vLLM's LLM takes them, and its outputs as OpenAI's answers. No vLLM is imported here.

Source: vLLM 0.32.0, SamplingParams and RequestOutput, whose names are the same since 0.10 (documents).
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

# Fields of a request that become one of SamplingParams of the same name.
SAMPLING = (
    "n",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "stop_token_ids",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "ignore_eos",
    "min_tokens",
    "skip_special_tokens",
)
# What the model's own generation_config.json may set, as the service takes it too.
FROM_MODEL = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
CHAT = "/v1/chat/completions"


def sampling_of(body: Mapping[str, Any], defaults: object) -> Dict[str, Any]:
    """What SamplingParams is made of.

    Args:
        defaults: the model's own SamplingParams.
    """
    told = {name: getattr(defaults, name) for name in FROM_MODEL if hasattr(defaults, name)}
    told.update({name: body[name] for name in SAMPLING if body.get(name) is not None})
    # As the service: as long as the window allows, where the request does not say.
    told["max_tokens"] = body.get("max_completion_tokens") or body.get("max_tokens")
    return told


def answer_of(
    entry: Mapping[str, Any],
    output: Any,  # noqa: ANN401  (vLLM has no types here)
    model: str,
    at: int,
) -> Dict[str, Any]:
    """The body of an answer, in the form of the service's.

    Args:
        output: vLLM's RequestOutput.
        at: seconds of the epoch.
    """
    chat = entry["url"] == CHAT
    choices: List[Dict[str, Any]] = []
    for one in output.outputs:
        said = {"message": {"role": "assistant", "content": one.text}} if chat else {"text": one.text}
        choices.append({"index": one.index, **said, "logprobs": None, "finish_reason": one.finish_reason})
    prompt, made = len(output.prompt_token_ids or ()), sum(len(one.token_ids) for one in output.outputs)
    kind = ("chatcmpl", "chat.completion") if chat else ("cmpl", "text_completion")
    return {
        "id": f"{kind[0]}-offline-{entry['number']}",
        "object": kind[1],
        "created": at,
        "model": model,
        "choices": choices,
        "usage": {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made},
    }


def refusal_of(error: BaseException) -> Dict[str, Any]:
    """The body of a request that vLLM does not take."""
    return {"error": {"message": str(error)[:4000], "type": "BadRequestError", "code": 400}}
