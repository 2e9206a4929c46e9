"""Greedy answers of a service, with everything that it tells about their tokens.

Fields that only some services know are asked for first, and left out where they are refused: vLLM's
``return_token_ids`` and ``return_tokens_as_token_ids``, OpenAI's ``logprobs``. Source of the shapes: the
OpenAI API reference, vLLM 0.32.0, llama.cpp, and answers of the real MindIE-LLM 3.0.0 on a CPU.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lingctl.serving.faults import fault_of
from lingctl.serving.http.answers import first_choice, parse_object
from lingctl.serving.http.api import CHAT, COMPLETIONS, INFER, Ask, Dialect, ModelKind, read_whole
from lingctl.serving.http.client import Client
from lingctl.serving.proof.questions import ProofQuestion
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

_ALTERNATIVES = 5  # MindIE gives no more on its completions
_TOKEN_ID = re.compile(r"token_id:([0-9]{1,9})")
_IDS: Mapping[str, object] = {"return_token_ids": True, "return_tokens_as_token_ids": True}
_PLAIN: Mapping[str, object] = {"repetition_penalty": 1.0}
_MOST_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True)
class Likely:
    """One token as a service names it, and its log likelihood."""

    text: str
    token: int | None  # its id, where the service tells it
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenNumbers:
    """What a service says of one token of its answer."""

    chosen: Likely
    others: tuple[Likely, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, with what is known of its tokens; None and empty are what the service does not tell."""

    question: ProofQuestion
    text: str
    finish: str
    prompt_count: int | None = None
    answer_count: int | None = None
    prompt_tokens: tuple[int, ...] | None = None
    answer_tokens: tuple[int, ...] | None = None
    numbers: tuple[TokenNumbers, ...] = ()


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one service in one way, which is found at the first question."""

    client: Client
    kind: ModelKind
    mindie: bool
    stage: int = 0  # how many fields it was found to refuse

    def ask(self, question: ProofQuestion) -> tuple[Asker, Answered | ExchangeTrouble]:
        """The answer, and who asks the next one."""
        asker, trouble = self, ExchangeTrouble("malformed", "nothing was asked")
        for stage, (dialect, body) in enumerate(self._requests(question)):
            if stage < self.stage:
                continue
            asker = replace(self, stage=stage)
            answer = self._one(question, dialect, body)
            if not isinstance(answer, ExchangeTrouble):
                return asker, answer
            trouble = answer
            if fault_of(answer) not in ("request", "path") or answer.no_service:
                break
        return asker, trouble

    def prompt_tokens(self, question: ProofQuestion) -> tuple[int, ...] | None:
        """The prompt's tokens by ``/tokenize``, which vLLM has; None where there is none."""
        turns = [{"role": "user", "content": question.text}]
        asked = {"messages": turns} if self.kind == "chat" else {"prompt": question.text}
        answer = self.client.post("/tokenize", {"model": self.client.endpoint.served_name, **asked})
        if isinstance(answer, ExchangeTrouble) or answer.status != 200:
            return None
        data = parse_object(answer.body)
        return None if isinstance(data, ExchangeTrouble) else _whole(data.get("tokens"))

    def answer_tokens(self, answered: Answered, prompt: Sequence[int]) -> tuple[int, ...] | None:
        """The tokens of an answer by MindIE's ``/infer_token``, which tells them and no likelihoods.

        Nothing where it does not give the same text again, or there is no such path.
        """
        if not self.mindie:
            return None
        question = answered.question
        body = {**self._body(INFER, question), "input_id": list(prompt)}
        del body["inputs"]
        again = self._one(question, replace(INFER, path="/infer_token"), body)
        if isinstance(again, ExchangeTrouble) or again.text != answered.text:
            return None
        if answered.answer_count not in (None, again.answer_count):
            return None
        return again.answer_tokens

    def _requests(self, question: ProofQuestion) -> list[tuple[Dialect, dict[str, object]]]:
        dialect, numbers = COMPLETIONS, dict[str, object](logprobs=_ALTERNATIVES)
        if self.kind == "chat":
            dialect, numbers = CHAT, {"logprobs": True, "top_logprobs": _ALTERNATIVES}
        common = self._body(dialect, question)
        more: list[Mapping[str, object]] = [{**numbers, **_PLAIN, **_IDS}, {**numbers, **_PLAIN}, numbers, {}]
        found = [(dialect, {**common, **one}) for one in more]
        if self.kind == "base" and self.mindie:
            found.append((INFER, self._body(INFER, question)))
        return found

    def _body(self, dialect: Dialect, question: ProofQuestion) -> dict[str, object]:
        ask = Ask(question.text, max_tokens=question.max_tokens, details=True)
        return self.client.body(dialect, ask, stream=False)

    def _one(
        self, question: ProofQuestion, dialect: Dialect, body: Mapping[str, object]
    ) -> Answered | ExchangeTrouble:
        answer = self.client.post(dialect.path, body)
        if isinstance(answer, ExchangeTrouble):
            return answer
        if answer.status != 200:
            return http_trouble(answer.status, answer.body, answer.headers)
        data = parse_object(answer.body)
        return data if isinstance(data, ExchangeTrouble) else read_answered(question, dialect, data)


def read_answered(
    question: ProofQuestion, dialect: Dialect, data: Mapping[str, Any]
) -> Answered | ExchangeTrouble:
    """What an answer with a status of success holds, and tells of its tokens."""
    piece = read_whole(dialect, data)
    if isinstance(piece, ExchangeTrouble):
        return piece
    choice, details = first_choice(data.get("choices")) or {}, data.get("details")
    told = details if isinstance(details, dict) else {}
    prompt = _whole(choice.get("prompt_token_ids"))
    return Answered(
        question,
        piece.reasoning + piece.text,
        piece.finish_reason,
        piece.usage.prompt if piece.usage else None,
        piece.usage.completion if piece.usage else None,
        _whole(data.get("prompt_token_ids")) if prompt is None else prompt,
        _whole(choice.get("token_ids") or told.get("generated_token_ids")),
        _numbers(choice.get("logprobs")),
    )


def _numbers(logprobs: object) -> tuple[TokenNumbers, ...]:
    """What is told of each token; nothing where any of it has another form."""
    if not isinstance(logprobs, dict):
        return ()
    try:
        if isinstance(logprobs.get("content"), list):
            return tuple(
                TokenNumbers(
                    _likely(one["token"], one["logprob"], one.get("id")),
                    tuple(
                        _likely(other["token"], other["logprob"], other.get("id"))
                        for other in one.get("top_logprobs") or ()
                    ),
                )
                for one in logprobs["content"]
            )
        tops: Sequence[Any] = logprobs.get("top_logprobs") or [None] * len(logprobs["tokens"])
        return tuple(
            TokenNumbers(
                _likely(text, number),
                tuple(_likely(other, logprob) for other, logprob in (top or {}).items()),
            )
            for text, number, top in zip(logprobs["tokens"], logprobs["token_logprobs"], tops, strict=True)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _likely(text: object, logprob: object, token: object = None) -> Likely:
    """A token by vLLM's name of its id, or with the id that llama.cpp tells."""
    if not isinstance(text, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise ValueError("no token with a number")
    if not math.isfinite(logprob):
        raise ValueError("a likelihood that is none")
    named = _TOKEN_ID.fullmatch(text)
    known = token if type(token) is int and token >= 0 else None
    return Likely(text, int(named[1]) if named else known, float(logprob))


def _whole(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or not value or len(value) > _MOST_TOKENS:
        return None
    return tuple(value) if all(type(one) is int and one >= 0 for one in value) else None
