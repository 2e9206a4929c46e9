"""A conversation with a service: turns, the answer as it comes, and what it took."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, replace

from lingctl.serving.faults import fault_of
from lingctl.serving.http.api import A_FEW, CHAT, Ask, Dialect, Turn
from lingctl.serving.http.client import Client
from lingctl.serving.http.concessions import agreed
from lingctl.serving.http.models import cannot_chat
from lingctl.serving.http.streamed import Hearing, ReplyPart, Streamed
from lingctl.serving.trouble import ExchangeTrouble


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How it is asked; where None, the service's own default counts."""

    system: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    raw: bool = False  # thoughts that stand in the text of an answer are left in it


@dataclass(slots=True)
class Conversation:
    """Asks one model and remembers what was said; a turn without an answer is forgotten."""

    client: Client
    options: ChatOptions
    dialect: Dialect = CHAT  # how it is asked
    otherwise: Dialect | None = None  # how it is asked where it then says that it cannot chat
    turns: tuple[Turn, ...] = ()
    last: Streamed = field(default_factory=Streamed)

    @property
    def model(self) -> str:
        """The name that is asked for."""
        return self.client.endpoint.served_name

    @property
    def chats(self) -> bool:
        """Whether it is asked as a chat; a base model continues texts."""
        return self.dialect.name == CHAT.name

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
        if trouble and self.otherwise and self.chats and cannot_chat(trouble):
            self.dialect = self.otherwise
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
        for event in client.stream(self.dialect, ask):
            return event.piece if isinstance(event.piece, ExchangeTrouble) else None
        return None

    def _once(self, question: str) -> Generator[ReplyPart, None, None]:
        hearing = Hearing()
        dialect = replace(self.dialect, thinks=self.dialect.thinks and not self.options.raw)
        try:
            for event in self.client.stream(dialect, self._ask(question)):
                yield from hearing.hear(event)
            yield from hearing.rest()
        finally:
            self.last = hearing.heard()
            if self.last.text or self.last.tool_call:
                asked = {"role": "user", "content": question}
                said = {"role": "assistant", "content": self.last.text or self.last.tool_call}
                self.turns = (*self.turns, asked, said)
