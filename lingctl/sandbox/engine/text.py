"""Text to tokens and back, by the checkpoint's own tokenizer and chat template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lingctl.sandbox.engine.weights import LoadError

_BROKEN = (
    "Failed to get vocab size from tokenizer wrapper with exception: ValueError: "
    "safe_get_tokenizer_from_pretrained failed. Please check the input parameters model_path and kwargs. "
    "If the input parameters are valid and the required files exist in model_path, make sure the folder's "
    "owner has execute permission. Otherwise, please check the function stack for detailed exception "
    "information."
)
_HALF = "\ufffd"


class NoTemplate(Exception):
    """A conversation, and no template or one that refuses it."""


def own_template(folder: Path) -> str | None:
    """The chat template in a folder's tokenizer_config.json, None where there is none to read."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text())
    except (OSError, ValueError):
        return None
    template = config.get("chat_template") if isinstance(config, dict) else None
    return template if isinstance(template, str) and template else None


def _refuse(text: str) -> str:
    raise NoTemplate(text)


class Text:
    """The tokenizer of a weights folder.

    Args:
        folder: the weights.
        template: the chat template, None where the model has none.

    Raises:
        LoadError: a file is missing or broken.
    """

    def __init__(self, folder: Path, template: str | None) -> None:
        self._template = template
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            json.loads((folder / "tokenizer_config.json").read_text())
        except Exception as error:  # the tokenizers library raises bare Exception
            raise LoadError(_BROKEN) from error

    def encode(self, text: str) -> list[int]:
        """Token ids; nothing is added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Text without special tokens."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Each token's own text."""
        return [self._tokenizer.decode([token], skip_special_tokens=False) for token in tokens]

    def chat(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt of a conversation, ready for the assistant's answer.

        Raises:
            NoTemplate: the model has no chat template.
        """
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        if self._template is None:
            raise NoTemplate("Your model does not appear to have a chat template.")
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        template = environment.from_string(self._template)
        return template.render(messages=list(messages), add_generation_prompt=True)


class Growing:
    """Text of a growing answer, given out only in whole characters."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._tokens: list[int] = []
        self._given = ""

    def add(self, token: int) -> str:
        """Append a token; the new text, empty while a character is incomplete."""
        self._tokens.append(token)
        whole = self._text.decode(self._tokens)
        if whole.endswith(_HALF):
            return ""
        fresh = whole[len(self._given) :]
        self._given = whole
        return fresh
