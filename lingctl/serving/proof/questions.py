"""What a proof asks: the built-in prompts, or those of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lingctl.errors import UsageError
from lingctl.serving.bench.prompts import read_dataset
from lingctl.serving.http.api import ModelKind

MOST_QUESTIONS = 64


@dataclass(frozen=True, slots=True)
class ProofQuestion:
    """One prompt: a user's turn of a chat, or the beginning of a text."""

    name: str
    text: str
    max_tokens: int


_CHAT = (
    ("english", "Explain in three sentences why the sky is blue."),
    ("chinese", "用三句话介绍一下长城的历史。"),
    ("code", "Write a Python function that returns the n-th Fibonacci number without recursion."),
    ("arithmetic", "What is 37 * 48 + 125? Show each step."),
    ("chinese-arithmetic", "小明有24个苹果，分给5个朋友，每人4个，还剩几个？"),
    ("list", "List the planets of the solar system, from the sun outwards."),
)
_BASE = (
    ("english", "The history of the printing press begins in"),
    ("chinese", "长城是中国古代的军事防御工程，它"),
    ("code", "def fibonacci(n):\n    "),
    ("arithmetic", "12 + 30 = 42\n25 + 17 = 42\n18 + 23 ="),
    ("chinese-arithmetic", "小明有24个苹果，分给5个朋友，每人4个，还剩"),
    ("list", "The planets of the solar system are Mercury, Venus,"),
)


def built_in(kind: ModelKind, max_tokens: int) -> list[ProofQuestion]:
    """English, Chinese, code, arithmetic."""
    return [ProofQuestion(name, text, max_tokens) for name, text in (_CHAT if kind == "chat" else _BASE)]


def of_file(path: Path, max_tokens: int) -> list[ProofQuestion]:
    """The prompts of a file, as ``bench --dataset`` reads them, each with the length of its answer if given.

    Raises:
        UsageError: more than are held at once.
        ConfigurationError: it cannot be read, or holds none.
    """
    prompts = read_dataset(path)
    if len(prompts) > MOST_QUESTIONS:
        raise UsageError(
            f"{len(prompts)} prompts are more than a proof takes ({MOST_QUESTIONS})",
            where=str(path),
            remedy=f"head -n {MOST_QUESTIONS} of it is enough: each answer has many tokens",
            code="prove-prompts",
        )
    return [
        ProofQuestion(f"prompt {number}", prompt.text, prompt.max_tokens or max_tokens)
        for number, prompt in enumerate(prompts, 1)
    ]
