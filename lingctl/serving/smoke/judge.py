"""Is this text an answer? Pure judgement of what a model said; broken weights show here and nowhere else.

A base model continues a text and is judged as one: greedy continuations may go round in long circles and
need not stop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.findings import Verdict
from lingctl.serving.http.api import ModelKind
from lingctl.serving.smoke.scripts import foreign_share, language_of, loop_length, main_script, reads_as

# The Ling template's own markers and those of the templates a wrong tokenizer folder would bring.
_MARKERS = re.compile(r"</?role>|<\|[a-zA-Z0-9_]{2,24}\|>|\[/?INST\]|</?s>|<unk>|<pad>|<eos>")
_TOKEN_LOOP = 2
_MOST_FOREIGN = 0.2


@dataclass(frozen=True, slots=True)
class SmokeQuestion:
    """What to ask, and how sure one can be of a good answer's looks."""

    kind: ModelKind  # ``chat`` or ``base``
    prompt: str  # the user's text
    system: str = ""  # system message; chat only
    expect: str = ""  # text that the answer must hold, without regard to case; empty for none
    # whether the prompt is one of lingctl's own: to a user's, a good answer may be in another language or in
    # code, so what only looks wrong is a warning there
    known: bool = False
    max_tokens: int = 100  # most tokens of the answer


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with an answer."""

    verdict: Verdict
    text: str


# Source: the two requests of the Ling README.
CHAT_QUESTION = SmokeQuestion("chat", "Who are you?", "You are a helpful assistant.", known=True)
BASE_QUESTION = SmokeQuestion("base", "My name is Olivier and I", known=True)


def question(kind: ModelKind, prompt: str = "", expect: str = "") -> SmokeQuestion:
    """The README's request of that kind, or the user's own prompt."""
    default = CHAT_QUESTION if kind == "chat" else BASE_QUESTION
    if not prompt:
        return SmokeQuestion(kind, default.prompt, default.system, expect, known=True)
    return SmokeQuestion(kind, prompt, default.system, expect)


def judge_answer(asked: SmokeQuestion, answer: str) -> list[Flaw]:
    """Every flaw of an answer; none for a good one."""
    if not answer.strip():
        return [Flaw(Verdict.FAILURE, "the answer is empty")]
    flaws = [*_markers(answer), *_undecoded(answer), *_loops(asked, answer), *_expected(asked, answer)]
    # Noise of every kind fails the tests of language too; one reason is enough.
    return flaws or _language(asked, answer)


def _markers(answer: str) -> list[Flaw]:
    found = _MARKERS.search(answer)
    text = f"a marker of the chat template or the vocabulary leaks: {found.group()}" if found else ""
    return [Flaw(Verdict.FAILURE, text)] if found else []


def _undecoded(answer: str) -> list[Flaw]:
    # A character cut by the token limit may leave some at the very end.
    broken = answer.rstrip("\ufffd").count("\ufffd")
    return [Flaw(Verdict.FAILURE, f"{broken} characters are not valid UTF-8")] if broken else []


def _loops(asked: SmokeQuestion, answer: str) -> list[Flaw]:
    length = loop_length(answer)
    if not length:
        return []
    if length <= _TOKEN_LOOP:
        return [Flaw(Verdict.FAILURE, "it repeats one token over and over")]
    if asked.kind == "base":
        return []
    return [Flaw(Verdict.FAILURE, f"it goes round in a loop of {length} words or characters")]


def _expected(asked: SmokeQuestion, answer: str) -> list[Flaw]:
    if not asked.expect or asked.expect.casefold() in answer.casefold():
        return []
    return [Flaw(Verdict.FAILURE, f"the answer does not hold the expected text {asked.expect!r}")]


def _language(asked: SmokeQuestion, answer: str) -> list[Flaw]:
    if asked.expect:
        return []
    verdict = Verdict.FAILURE if asked.known else Verdict.WARNING
    wanted, got = main_script(asked.prompt), main_script(answer)
    if wanted and got and wanted != got:
        return [Flaw(verdict, f"the prompt is in {wanted.title()} letters, the answer in {got.title()} ones")]
    if foreign_share(answer, frozenset({wanted, "LATIN", "HAN"})) > _MOST_FOREIGN:
        return [Flaw(verdict, "the answer mixes the letters of unrelated scripts")]
    if not reads_as(language_of(asked.prompt), answer):
        return [Flaw(verdict, "the answer has none of its language's everyday words: it reads as noise")]
    return []
