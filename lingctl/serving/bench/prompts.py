"""What a load asks: a dataset's prompts, or made-up ones of a given length."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lingctl.errors import ConfigurationError
from lingctl.inventory.given_file import read_given
from lingctl.node.foreign_json import foreign_json

_COMMON = (
    "river stone window garden letter music bridge winter market simple number quiet forest silver "
    "answer little morning paper doctor travel yellow coffee island planet summer history engine"
)
_WORDS = tuple(_COMMON.split())
_MOST = 2 << 30  # ShareGPT's largest file has a third of it
_PROMPT_KEYS = ("prompt", "question", "input", "text", "instruction", "content")
_LENGTH_KEYS = ("output_len", "output_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; ``max_tokens`` is 0 where the dataset names none."""

    text: str
    max_tokens: int = 0


def made_up(words: int, seed: int) -> Iterator[Prompt]:
    """Prompts without end, of so many common words each; all differ from the first word on, so that no
    cache of prefixes makes them cheaper than they look.
    """
    chance = random.Random(seed)  # noqa: S311  (no secret depends on it)
    for number in count(chance.randrange(1_000_000)):
        yield Prompt(" ".join([str(number), *chance.choices(_WORDS, k=max(0, words - 1))]))


def read_dataset(path: Path) -> list[Prompt]:
    """Prompts of a file: JSON Lines or a JSON list, of strings or of objects.

    Objects are understood by their keys: ``prompt``, ``question``, ``input``, ``text``, ``instruction``;
    ``messages`` (OpenAI) or ``conversations`` (ShareGPT), of which the first user turn counts;
    ``output_len`` or ``max_tokens`` for the length of the answer. Other files: one prompt a line.

    Raises:
        ConfigurationError: it cannot be read, holds no prompts, or a row has none.
    """
    try:
        text = read_given(path, _MOST, code="dataset", pipes=True).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"cannot be read: {error}") from error
    prompts = list(_prompts(path, text))
    if not prompts:
        raise _unusable(path, "holds no prompts")
    return prompts


def _prompts(path: Path, text: str) -> Iterator[Prompt]:
    if path.suffix not in (".json", ".jsonl"):
        yield from (Prompt(line) for line in text.splitlines() if line.strip())
        return
    for where, row in _rows(path, text):
        prompt = _prompt(row)
        if prompt is None:
            raise _unusable(path, f"row {where} has no prompt: {json.dumps(row, ensure_ascii=False)[:120]}")
        yield prompt


def _rows(path: Path, text: str) -> Iterator[tuple[int, object]]:
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(foreign_json(text), 1)
        except ValueError as error:
            raise _unusable(path, f"is not JSON: {error}") from error
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, foreign_json(line)
            except ValueError as error:
                raise _unusable(path, f"line {number} is not JSON: {error}") from error


def _prompt(row: object) -> Prompt | None:
    if isinstance(row, str):
        return Prompt(row) if row.strip() else None
    if not isinstance(row, dict):
        return None
    texts = (row.get(key) for key in _PROMPT_KEYS)
    text = next((t for t in texts if isinstance(t, str) and t.strip()), "") or _first_turn(row)
    lengths = (row.get(key) for key in _LENGTH_KEYS)
    length = next((n for n in lengths if isinstance(n, int) and n > 0), 0)
    return Prompt(text, length) if text else None


def _first_turn(row: dict[str, object]) -> str:
    turns = row.get("messages") or row.get("conversations")
    for turn in turns if isinstance(turns, list) else []:
        if isinstance(turn, dict) and (turn.get("role") or turn.get("from")) in ("user", "human"):
            said = turn.get("content") or turn.get("value")
            return said if isinstance(said, str) else ""
    return ""


def _unusable(path: Path, why: str) -> ConfigurationError:
    remedy = 'give JSON Lines such as {"prompt": "Who are you?", "max_tokens": 64}, or one prompt a line'
    return ConfigurationError(f"the dataset {why}", where=str(path), remedy=remedy, code="dataset")
