"""Counting tokens by the model's own tokenizer, where a service does not count them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lingctl.errors import ConfigurationError, UsageError
from lingctl.paths import is_file, is_folder
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.http.answers import joined

CountTokens = Callable[[str], int]


def tokenizer_at(path: Path) -> CountTokens:
    """The tokenizer of a model's folder, or of a ``tokenizer.json``.

    Raises:
        UsageError: it is not there, or the library that reads it is not installed.
        ConfigurationError: it cannot be read.
    """
    file = path / "tokenizer.json" if is_folder(path) else path
    if not is_file(file):
        raise UsageError(f"no tokenizer: {file}", where="--tokenizer", code="no-tokenizer")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UsageError(
            "the library 'tokenizers' is not installed", where="--tokenizer", code="no-tokenizers"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ConfigurationError(f"not a tokenizer: {error}", where=str(file), code="tokenizer") from error
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def count_tokens(outcomes: Sequence[RequestOutcome], prompts: Sequence[str], count: CountTokens) -> None:
    """Count what the service did not. The chat template's tokens, which it would count too, are not known."""
    for outcome, prompt in zip(outcomes, prompts, strict=True):
        if outcome.ok and not outcome.counted:
            outcome.prompt_tokens = count(prompt)
            outcome.output_tokens = max(1, count(joined(outcome.pieces)))
            outcome.by_tokenizer = True
