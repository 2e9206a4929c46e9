"""The service asked, and its answers as tokens, as far as these can be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lingctl.events import Event, Listener
from lingctl.flows.serve.asked_service import met, no_answer
from lingctl.flows.serve.proof_node import ProofNode
from lingctl.node.prove.answers import Encoding, Encodings
from lingctl.serving.http.api import AskedKind, ModelKind
from lingctl.serving.http.client import Client
from lingctl.serving.http.models import cannot_chat, kind_by_name
from lingctl.serving.proof.asking import Answered, Asker
from lingctl.serving.proof.known_tokens import (
    KnownText,
    UnknownText,
    known_text,
    shown_texts,
)
from lingctl.serving.proof.questions import ProofQuestion, built_in, of_file


@dataclass(frozen=True, slots=True)
class AskedTexts:
    """A service's answers."""

    url: str
    model: str
    kind: ModelKind
    known: tuple[KnownText, ...]
    unknown: tuple[UnknownText, ...]
    unsteady: tuple[str, ...] = ()  # questions that were answered otherwise when they were asked again


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """What to prove."""

    kind: AskedKind = "auto"
    prompts: Path | None = None  # a file of prompts instead of the built-in ones
    max_tokens: int = 48  # of each answer
    patience: float = 60.0  # seconds of silence after which an answer counts as stuck
    host: bool = False  # on the nodes themselves rather than in their containers
    arrays: str = ""  # ``torch`` or ``numpy``, and no other
    # keys of config.json that the service was told otherwise (vLLM's --hf-overrides)
    overrides: Mapping[str, object] = field(default_factory=dict)

    def questions(self, kind: ModelKind) -> list[ProofQuestion]:
        """The prompts. Raises LingctlError: the file cannot be used."""
        return of_file(self.prompts, self.max_tokens) if self.prompts else built_in(kind, self.max_tokens)


def ask_service(client: Client, wanted: ProofOptions, node: ProofNode, listener: Listener) -> AskedTexts:
    """Ask every question, one after the other, and find out which tokens the answers are made of.

    Args:
        node: has the tokenizer of the weights, if there is one.

    Raises:
        ConnectError: nothing answers.
        EngineError: the service refuses, fails, or does not tell its models.
    """
    client, mindie, _ = met(client)
    sure = kind_by_name(client.endpoint.served_name, wanted.kind)
    asked = wanted.questions(sure)
    asker = Asker(client, sure, mindie)
    answers: list[Answered] = []
    while len(answers) < len(asked):
        question = asked[len(answers)]
        listener(Event("ask", "progress", text=question.name, done=len(answers), total=len(asked)))
        asker, answer = asker.ask(question)
        if isinstance(answer, Answered):
            answers.append(answer)
        elif wanted.kind == "auto" and asker.kind == "chat" and not answers and cannot_chat(answer):
            asker = Asker(client, "base", mindie)
            asked = wanted.questions("base")
        else:
            raise no_answer(client, answer)
    listener(Event("ask", "done", text=f"{len(answers)} answers"))
    unsteady = () if any(answer.numbers for answer in answers) else _otherwise(asker, answers)
    texts = _as_tokens(asker, answers, node)
    return AskedTexts(
        client.endpoint.service_url,
        client.endpoint.served_name,
        asker.kind,
        tuple(one for one in texts if isinstance(one, KnownText)),
        tuple(one for one in texts if isinstance(one, UnknownText)),
        unsteady,
    )


def _otherwise(asker: Asker, answers: Sequence[Answered]) -> tuple[str, ...]:
    """Which questions are answered otherwise when they are asked again: what samples does so, and without
    likelihoods nothing else would show it. What cannot be asked again says nothing."""
    names = []
    for first in answers:
        _, again = asker.ask(first.question)
        if isinstance(again, Answered) and again.text != first.text:
            names.append(first.question.name)
    return tuple(names)


def _as_tokens(asker: Asker, answers: Sequence[Answered], node: ProofNode) -> list[KnownText | UnknownText]:
    chat, shown = asker.kind == "chat", shown_texts(answers)
    questions = [answer.question for answer in answers]
    prompts = [] if chat else [question.text for question in questions]
    said = node.encode([*(answer.text for answer in answers), *shown, *prompts], questions if chat else ())
    own_answers, rest = said.texts[: len(answers)], said.texts[len(answers) :]
    own_prompts = said.chats if chat else rest[len(shown) :]
    singles = {
        text: one.ids[0]
        for text, one in zip(shown, rest, strict=False)
        if len(one.ids) == 1 and one.pieces[0] == text
    }
    found = []
    for number, answer in enumerate(answers):
        told = answer
        if answer.prompt_tokens is None and not said.library:
            told = replace(answer, prompt_tokens=asker.prompt_tokens(answer.question))

        def settled(told: Answered, number: int = number) -> KnownText | UnknownText:
            prompt, answer = _at(own_prompts, number, said), _at(own_answers, number, said)
            return known_text(told, prompt, answer, singles, node.looked.end_tokens, said.why_not)

        text = settled(told)
        if isinstance(text, UnknownText) and text.prompt:
            tokens = asker.answer_tokens(told, text.prompt)
            text = settled(replace(told, answer_tokens=tokens)) if tokens else text
        found.append(text)
    return found


def _at(encodings: Sequence[Encoding], number: int, said: Encodings) -> Encoding | None:
    return encodings[number] if said.library else None
