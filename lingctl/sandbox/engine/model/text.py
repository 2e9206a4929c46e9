"""Text to tokens and back, by the checkpoint's own tokenizer and chat template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lingctl.sandbox.engine.model.weights import LoadError

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

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Token ids; nothing is added.

        Args:
            text: what to encode.
            most: keep the first so many, None for all.
        """
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids[:most]

    def decode(self, tokens: Sequence[int], *, skip_special: bool = True) -> str:
        """Text of tokens, with or without special ones; ids that are none have no text."""
        known = [token for token in tokens if 0 <= token < 2**32]
        text: str = self._tokenizer.decode(known, skip_special_tokens=skip_special)
        return text

    def counted_pieces(self, tokens: Sequence[int]) -> list[str]:
        """Each token's new text as /v1/tokenizer tells it.

        A token that completes no character shows what the tokenizer process says of it (MindIE-LLM v3.0.0
        src/server/tokenizer/infer_tokenizer.cpp, TikToken).
        """
        pieces: list[str] = []
        known = ""
        for count in range(1, len(tokens) + 1):
            whole = self.decode(tokens[:count])
            fresh = len(whole) > len(known) and not whole.endswith(_HALF)
            pieces.append(whole[len(known) :] if fresh else '{"update_index": false}')
            known = whole
        return pieces

    def chat(
        self, messages: Sequence[Mapping[str, Any]], *, template: str | None = None, **options: Any
    ) -> str:
        """The prompt of a conversation, ready for the assistant's answer.

        Args:
            messages: the conversation.
            template: another template than the model's own.
            options: what else the template may use.

        Raises:
            NoTemplate: there is no chat template, or it refuses the conversation.
        """
        from jinja2.exceptions import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        source = template or self._template
        if source is None:
            raise NoTemplate("Your model does not appear to have a chat template.")
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        try:
            return environment.from_string(source).render(
                messages=list(messages), add_generation_prompt=True, **options
            )
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise NoTemplate(str(error)) from error


class Growing:
    """Text of a growing answer, given out only in whole characters.

    Only the tokens since the last text but one are decoded anew, as in atb_llm's tokenizer_wrapper.py.
    """

    def __init__(self, text: Text, *, skip_special: bool = True) -> None:
        self._text, self._skip = text, skip_special
        self._tokens: list[int] = []
        self._before = self._known = 0

    @property
    def start(self) -> int:
        """Place of the first token of the text that was given last."""
        return self._before

    def add(self, token: int, *, last: bool = False) -> str:
        """Append a token; the new text, empty while a character is incomplete and more is to come."""
        self._tokens.append(token)
        whole = self._text.decode(self._tokens[self._before :], skip_special=self._skip)
        old = self._text.decode(self._tokens[self._before : self._known], skip_special=self._skip)
        if not last and (len(whole) <= len(old) or whole.endswith(_HALF)):
            return ""
        self._before, self._known = self._known, len(self._tokens)
        return whole[len(old) :]


def utf16_length(text: str) -> int:
    """Length as the server counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
