"""The tokenizer of a weights folder, where its library is there: texts and conversations to tokens."""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

from lingctl.node.files import kind_of
from lingctl.node.prove.answers import Encoding, Encodings
from lingctl.node.trouble import shown
from lingctl.node.weights.model_config import read_config

_ROLES = {"user": "HUMAN", "assistant": "ASSISTANT", "system": "SYSTEM"}


class NoTokenizer(Exception):
    """There is none that can be used; its words say why."""


class FolderTokenizer:
    """A tokenizer.json, by the library ``tokenizers``.

    Attributes:
        library: its name and version.
    """

    def __init__(self, folder: str) -> None:
        """Load it. Raises NoTokenizer: it or its library is not there."""
        path = os.path.join(folder, "tokenizer.json")
        if kind_of(path) != "file":
            raise NoTokenizer(f"there is no {path}")
        try:
            library: Any = importlib.import_module("tokenizers")
        except ImportError as error:
            raise NoTokenizer(f"the library tokenizers cannot be imported: {error}") from None
        self.library = f"tokenizers {library.__version__}"
        try:
            self._tokenizer: Any = library.Tokenizer.from_file(path)
        except Exception as error:  # the library raises nothing narrower
            raise NoTokenizer(f"{path} is no tokenizer: {shown(error)}") from None
        self._folder = folder

    def encode(self, text: str) -> List[int]:
        """Tokens of a text; nothing is added."""
        ids: List[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def piece(self, token: int) -> str:
        """One token's own text; half a character shows as a replacement character."""
        text: str = self._tokenizer.decode([token], skip_special_tokens=False)
        return text

    def chat(self, turns: Sequence[Mapping[str, str]]) -> str:
        """A conversation as the model is shown it, by the folder's own template, else by Ling's usual one.

        Raises:
            NoTokenizer: there is a template, and nothing that could follow it.
        """
        template = self._template()
        if template is None:
            said = "".join(
                f"<role>{_ROLES.get(turn['role'], turn['role'].upper())}</role>{turn['content']}"
                for turn in turns
            )
            return f"{said}<role>ASSISTANT</role>"
        try:
            sandbox: Any = importlib.import_module("jinja2.sandbox")
        except ImportError as error:
            raise NoTokenizer(f"the chat template needs jinja2: {error}") from None
        environment = sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        try:
            text: str = environment.from_string(template).render(
                messages=list(turns), add_generation_prompt=True
            )
        except Exception as error:  # a template may raise anything
            raise NoTokenizer(f"the chat template fails: {shown(error)}") from None
        return text

    def _template(self) -> Optional[str]:
        config, _ = read_config(self._folder, "tokenizer_config.json")
        found = (config or {}).get("chat_template")
        return found if isinstance(found, str) and found else None


def encoded(folder: str, texts: Sequence[str], chats: Sequence[Sequence[Mapping[str, str]]]) -> Encodings:
    """Tokens of texts and of conversations; without a tokenizer, why there are none."""
    try:
        tokenizer = FolderTokenizer(folder)
        said = [tokenizer.chat(turns) for turns in chats]
    except NoTokenizer as error:
        return Encodings("", str(error), (), ())
    known, talks = (tuple(_tokens(tokenizer, text) for text in some) for some in (texts, said))
    return Encodings(tokenizer.library, "", known, talks)


def pieces(folder: str, tokens: Sequence[int]) -> Dict[str, str]:
    """The text of each token; none where there is no tokenizer."""
    try:
        tokenizer = FolderTokenizer(folder)
    except NoTokenizer:
        return {}
    return {str(token): tokenizer.piece(token) for token in sorted(set(tokens))}


def _tokens(tokenizer: FolderTokenizer, text: str) -> Encoding:
    ids = tuple(tokenizer.encode(text))
    return Encoding(ids, tuple(tokenizer.piece(token) for token in ids))


def _refuse(text: str) -> str:
    raise ValueError(text)
