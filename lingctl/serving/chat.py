"""A conversation with a service: turns, the answer as it comes, and what it took."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from lingctl.serving.faults import fault_of
from lingctl.serving.http.answers import Joiner, Piece, Usage
from lingctl.serving.http.api import A_FEW, CHAT, Ask, Dialect, Turn
from lingctl.serving.http.client import Client
from lingctl.serving.http.concessions import agreed
from lingctl.serving.http.models import cannot_chat
from lingctl.serving.trouble import ExchangeTrouble

ReplyPartKind = Literal["answer", "thought", "call", "turn"]
"""``turn``: a remark that what was shown as an answer until now were thoughts."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How it is asked; where None, the service's own default counts."""

    system: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    raw: bool = False  # thoughts that stand in the text of an answer are left in it


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """Some text of an answer, the moment it came."""

    kind: ReplyPartKind
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole or as far as it came. Seconds are from the question on."""

    text: str = ""
    thoughts: str = ""
    call: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    first_token_seconds: float | None = None
    seconds: float = 0.0
    events: int = 0
    trouble: ExchangeTrouble | None = None
    whole: bool = False

    @property
    def tokens(self) -> int:
        """As the service counts them, else the events that brought some."""
        return self.usage.completion if self.usage else self.events

    @property
    def tokens_per_second(self) -> float | None:
        """After the first token; None where there is no second one."""
        if self.first_token_seconds is None or self.tokens < 2 or self.seconds <= self.first_token_seconds:
            return None
        return (self.tokens - 1) / (self.seconds - self.first_token_seconds)

    @property
    def figures(self) -> str:
        """What it took, in a few words."""
        if self.first_token_seconds is None:
            return ""
        rate, about = self.tokens_per_second, "" if self.usage else "about "
        speed = "" if rate is None else f", {about}{rate:.1f} tokens/s"
        return f"{self.first_token_seconds:.2f} s{speed}"

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "answer": self.text,
            "thoughts": self.thoughts,
            "tool_call": self.call,
            "finish_reason": self.finish_reason,
            "prompt_tokens": self.usage.prompt if self.usage else None,
            "output_tokens": self.tokens,
            "counted_by_service": self.usage is not None,
            "first_token_seconds": self.first_token_seconds,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": self.tokens_per_second,
            "whole": self.whole,
            "trouble": str(self.trouble) if self.trouble else None,
        }


class Conversation:
    """Asks one model and remembers what was said; a turn without an answer is forgotten.

    Args:
        dialect: how it is asked.
        otherwise: how it is asked where it then says that it cannot chat; None for no other way.
    """

    def __init__(
        self,
        client: Client,
        options: ChatOptions,
        dialect: Dialect = CHAT,
        otherwise: Dialect | None = None,
    ) -> None:
        self.client = client
        self.options = options
        self.turns: tuple[Turn, ...] = ()
        self.last = Reply()
        self._dialect = dialect
        self._otherwise = otherwise

    @property
    def model(self) -> str:
        """The name that is asked for."""
        return self.client.endpoint.served_name

    @property
    def chats(self) -> bool:
        """Whether it is asked as a chat; a base model continues texts."""
        return self._dialect.name == CHAT.name

    def forget(self) -> None:
        """Begin anew."""
        self.turns = ()

    def ask(self, question: str) -> Generator[ReplyPart, None, None]:
        """The answer as it comes; ``last`` is what became of it, also where the reader stops early."""
        with closing(self._once(question)) as parts:
            first = next(parts, None)
            if first is not None:
                yield first
                yield from parts
                return
        if self._asks_otherwise(question):
            yield from self._once(question)

    def _asks_otherwise(self, question: str) -> bool:
        """Whether there is another way to ask, after a refusal; it is taken from now on."""
        trouble = self.last.trouble
        if trouble and self._otherwise and self.chats and cannot_chat(trouble):
            self._dialect = self._otherwise
            return True
        if trouble is None or fault_of(trouble) != "request":
            return False
        before = self.client
        self.client = agreed(before, lambda client: self._refusal(client, question))
        return self.client != before

    def as_json(self) -> dict[str, object]:
        """What is saved of it."""
        system = [{"role": "system", "content": self.options.system}] if self.options.system else []
        url = self.client.endpoint.service_url
        return {"model": self.model, "url": url, "messages": [*system, *self.turns]}

    def _ask(self, question: str) -> Ask:
        options = self.options
        return Ask(
            question,
            options.system,
            options.max_tokens,
            options.temperature,
            details=True,
            before=self.turns,
        )

    def _refusal(self, client: Client, question: str) -> ExchangeTrouble | None:
        ask = replace(self._ask(question), max_tokens=A_FEW if self.options.max_tokens else None)
        for event in client.stream(self._dialect, ask):
            return event.piece if isinstance(event.piece, ExchangeTrouble) else None
        return None

    def _once(self, question: str) -> Generator[ReplyPart, None, None]:
        hearing = _Hearing(time.perf_counter())
        dialect = replace(self._dialect, thinks=self._dialect.thinks and not self.options.raw)
        try:
            for event in self.client.stream(dialect, self._ask(question)):
                if isinstance(event.piece, ExchangeTrouble):
                    hearing.trouble = event.piece
                    break
                yield from hearing.last(event.piece) if event.done else hearing.take(event.piece, event.at)
                hearing.whole = event.done
            yield from hearing.rest()
        finally:
            self.last = hearing.answer(time.perf_counter())
            if self.last.text or self.last.call:
                asked = {"role": "user", "content": question}
                said = {"role": "assistant", "content": self.last.text or self.last.call}
                self.turns = (*self.turns, asked, said)


class _Hearing:
    """A reply that is being heard."""

    def __init__(self, started: float) -> None:
        self.trouble: ExchangeTrouble | None = None
        self.whole = False
        self._started = started
        self._first: float | None = None
        self._finish = ""
        self._usage: Usage | None = None
        self._events = 0
        self._joiners: dict[ReplyPartKind, Joiner] = {
            "thought": Joiner(),
            "answer": Joiner(),
            "call": Joiner(),
        }

    def take(self, piece: Piece, at: float) -> Iterator[ReplyPart]:
        told = self._joiners["answer"].told
        # In /infer the last token's text comes in the whole of the last event only.
        late = piece.whole[len(told) :] if piece.whole and piece.whole.startswith(told) else ""
        if piece.has_tokens or late:
            self._events += 1
            self._first = self._first or at
        self._finish = piece.finish_reason or self._finish
        self._usage = piece.usage or self._usage
        yield from self.last(piece, late)

    def last(self, piece: Piece, late: str = "") -> Iterator[ReplyPart]:
        """What a piece says, also one that was held back until the end."""
        if piece.afresh:
            yield from self._know_better(piece)
            return
        text = piece.text or late
        said_by = {"thought": piece.reasoning, "answer": text, "call": piece.tool_call}
        for kind, joiner in self._joiners.items():
            if said_by[kind] and (ready := joiner.feed(said_by[kind])):
                yield ReplyPart(kind, ready)

    def _know_better(self, piece: Piece) -> Iterator[ReplyPart]:
        """What was shown as an answer was thoughts, or the other way round: it is not shown again."""
        thoughts, answer = Joiner(), Joiner()
        self._joiners |= {"thought": thoughts, "answer": answer}
        thoughts.feed(piece.reasoning)
        text = answer.feed(piece.text)
        if piece.reasoning:
            yield ReplyPart("turn", "(these were thoughts)")
        if piece.reasoning and text:
            yield ReplyPart("answer", text)

    def rest(self) -> Iterator[ReplyPart]:
        """Halves of characters that stayed halves."""
        for kind, joiner in self._joiners.items():
            if left := joiner.end():
                yield ReplyPart(kind, left)

    def answer(self, now: float) -> Reply:
        return Reply(
            text=self._joiners["answer"].told,
            thoughts=self._joiners["thought"].told,
            call=self._joiners["call"].told,
            finish_reason=self._finish,
            usage=self._usage,
            first_token_seconds=None if self._first is None else self._first - self._started,
            seconds=now - self._started,
            events=self._events,
            trouble=self.trouble,
            whole=self.whole,
        )
