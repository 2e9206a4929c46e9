"""The model's generation_config.json, whose values vLLM takes for requests that do not say their own.

Source: vLLM 0.32.0, ModelConfig.get_diff_sampling_param and SamplingParams, run: a number that is a text
passes the start and then fails every request that leaves it out ("'<' not supported between instances ...").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.errors import ConfigurationError

_TAKEN = (
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "max_new_tokens",
)


def need_sampling_numbers(generation_config: Mapping[str, Any]) -> None:
    """Refuse default sampling parameters that are no numbers.

    Raises:
        ConfigurationError: one is none.
    """
    wrong = [
        f"{name} is {value!r}"
        for name in _TAKEN
        if (value := generation_config.get(name)) is not None
        and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    if wrong:
        raise ConfigurationError(
            "generation_config.json has defaults that are no numbers: vLLM starts, and fails every request "
            "that leaves them out",
            evidence="; ".join(text[:80] for text in wrong),
            code="number-as-text",
        )
