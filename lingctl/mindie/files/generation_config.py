"""The model's generation_config.json, and numbers that a model's JSON file writes as text.

Source: MindIE-LLM v3.0.0 src/config_manager: a text that begins with a number passes for one (``top_k`` here,
``vocab_size`` in config.json) and is then read as a number, which ends the start with "type must be number,
but is string"; the other numbers go to the model library, which computes with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict

_SOURCE = "MindIE-LLM v3.0.0 src/config_manager"
# By these a file without architectures is one.
OWN_KEYS = frozenset({"top_k", "top_p", "temperature", "do_sample", "repetition_penalty", "max_new_tokens"})
_NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")
# The server asks of these only whether they begin with a number.
_BEGINS = re.compile(r"\s*[-+]?[0-9]")
_READ_BY_THE_SERVER = ("top_k", "vocab_size", "padded_vocab_size")


def numbers_as_text(document: Mapping[str, Any]) -> Iterator[str]:
    """The keys whose number stands in quotes, each with its value."""
    for key, value in document.items():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str) and not key.endswith("version"):
                pattern = _BEGINS.match if key in _READ_BY_THE_SERVER else _NUMBER.fullmatch
                if pattern(one):
                    yield f'{key} is "{one[:40]}"'
                    break


def need_numbers(document: Mapping[str, Any], name: str) -> None:
    """Refuse a file that writes numbers as text.

    Args:
        name: of the file.

    Raises:
        ConfigurationError: it does.
    """
    found = list(numbers_as_text(document))
    if found:
        raise ConfigurationError(
            f"{name} writes numbers as text, with which MindIE does not start",
            evidence=f"{', '.join(found[:8])}; rule from {_SOURCE}",
            remedy=f"take the quotes off these numbers in {name}, or take the file from the model's download",
            code="number-as-text",
        )


def check_generation_config(document: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with a generation_config.json; a pass if nothing."""
    found = list(numbers_as_text(document))
    for text in found:
        yield Finding(
            "generation-config",
            Verdict.FAILURE,
            f"{text}: a number must not be a text",
            evidence=f"rule from {_SOURCE}",
            remedy="take the quotes off",
        )
    if not found:
        yield Finding("generation-config", Verdict.PASS, "its numbers are numbers")
