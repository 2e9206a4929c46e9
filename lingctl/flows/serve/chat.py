"""chat and ask: a person's questions, or a script's, to a service that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from lingctl import interrupts
from lingctl.errors import UsageError
from lingctl.flows.serve.asked_service import AskedService, met, no_answer
from lingctl.inventory.given_file import with_home
from lingctl.serving.chat import ChatOptions, Conversation
from lingctl.serving.faults import fault_of
from lingctl.serving.http.api import AskedKind, dialect_for
from lingctl.serving.http.exchange import Limits
from lingctl.serving.http.models import kind_by_name
from lingctl.serving.http.streamed import ReplyPart, Streamed
from lingctl.serving.remedies import advice_for

HELP = (
    "/reset        forget what was said",
    "/save FILE    write the conversation as JSON",
    "/quit         end; so does Ctrl-D",
    "Ctrl-C ends an answer; a line that ends with \\ goes on in the next",
)
_MODE = 0o600
_A_DAY = 86400.0  # an answer may take its time, as long as it goes on


class Talker(Protocol):
    """Who asks: a person at a terminal, or a script."""

    @property
    def is_person(self) -> bool:
        """Whether somebody can ask again after a failure; to a script it is an error."""

    def question(self, figures: str) -> str:
        """The next line; ``figures`` is what the last answer took. Raises EOFError: there is none."""

    def part(self, part: ReplyPart) -> None:
        """Show some of the answer."""

    def end(self) -> None:
        """The answer is over."""

    def note(self, text: str) -> None:
        """Say something beside it."""


@contextmanager
def conversation_with(
    service: AskedService, options: ChatOptions, *, kind: AskedKind, patience: float
) -> Iterator[Conversation]:
    """A conversation with a service.

    Raises:
        ConnectError: nothing answers.
        EngineError: a node's daemon is dead or cannot be seen, or the service does not tell its models.
    """
    service.need_no_lost_node("chat")
    kind = service.kind(kind)
    with service.client(Limits(idle=patience, total=_A_DAY)) as client:
        client, mindie, _ = met(client)
        sure = kind_by_name(client.endpoint.served_name, kind)
        otherwise = dialect_for("base", mindie=mindie) if kind == "auto" else None
        yield Conversation(client, options, dialect_for(sure, mindie=mindie), otherwise)


def ask(conversation: Conversation, question: str, talker: Talker) -> Streamed:
    """One question.

    Raises:
        ConnectError: nothing answers.
        EngineError: the service refuses, fails, or ends in the middle.
    """
    try:
        _stream(conversation, question, talker)
    finally:
        talker.end()
    answer = conversation.last
    if answer.trouble:
        raise no_answer(conversation.client, answer.trouble)
    if remark := _remark(answer):
        talker.note(remark)
    return answer


def _stream(conversation: Conversation, question: str, talker: Talker) -> None:
    with closing(conversation.ask(question)) as parts:
        for part in parts:
            talker.part(part)


def chat(conversation: Conversation, talker: Talker) -> None:
    """Questions and answers until there are no more questions; to a person, a failed answer does not end it.

    Raises:
        UsageError: the model cannot chat.
        LingctlError: an answer failed, and a script asks.
    """
    if not conversation.chats:
        raise UsageError(
            f"{conversation.model} is a base model: it continues texts and does not chat", code="cannot-chat"
        )
    with interrupts.of_a_part():
        while True:
            try:
                if not _turn(conversation, talker):
                    return
            except KeyboardInterrupt as interruption:
                if isinstance(interruption, interrupts.Interruption):
                    raise
                talker.note("/quit or Ctrl-D ends the chat")


def _turn(conversation: Conversation, talker: Talker) -> bool:
    """One question, or a command; False if it was the last."""
    try:
        line = talker.question(conversation.last.figures)
    except EOFError:
        return False
    if line.strip() == "/quit":
        return False
    if line.startswith("/"):
        _obey(line.split(), conversation, talker)
    elif line.strip():
        _answer(conversation, line, talker)
    return True


def _obey(words: list[str], conversation: Conversation, talker: Talker) -> None:
    match words:
        case ["/reset"]:
            conversation.forget()
            talker.note("forgotten: the next question begins anew")
        case ["/save", *rest] if rest:
            talker.note(_save(with_home(" ".join(rest)), conversation))
        case ["/help"]:
            for line in HELP:
                talker.note(line)
        case _:
            talker.note(f"no such command: {words[0]}; there are /reset, /save FILE, /help, /quit")


def _answer(conversation: Conversation, question: str, talker: Talker) -> None:
    stopped = False
    try:
        _stream(conversation, question, talker)
    except KeyboardInterrupt as interruption:
        if isinstance(interruption, interrupts.Interruption):
            raise
        stopped = True
    talker.end()
    answer = conversation.last
    if answer.trouble and not talker.is_person:
        raise no_answer(conversation.client, answer.trouble)
    if answer.trouble:
        advice = advice_for(conversation.client.endpoint).remedy(answer.trouble)
        if fault_of(answer.trouble) == "length":
            advice = "the conversation no longer fits: /reset begins anew"
        talker.note(f"{answer.trouble}\nfix: {advice}")
    elif stopped:
        talker.note("stopped" if answer.text else "stopped before an answer came")
    elif remark := _remark(answer):
        talker.note(remark)


def _remark(answer: Streamed) -> str:
    """What a reader must know of an answer that came."""
    if answer.reasoning and not (answer.text or answer.tool_call):
        return "it ended while the model still thought: raise --max-tokens"
    if answer.finish_reason == "length":
        return "it ended at the limit of tokens"
    return "" if answer.text or answer.tool_call else "the answer is empty"


def _save(path: Path, conversation: Conversation) -> str:
    """Write the conversation, for its owner alone; an existing file stays. What became of it, in words."""
    from lingctl.flows.run.whole_file import write_file  # few save, and all wait for their prompt

    text = json.dumps(conversation.as_json(), ensure_ascii=False, indent=2) + "\n"
    try:
        content = text.encode()
        path.touch(_MODE, exist_ok=False)
        try:
            write_file(path, content, _MODE)
        except BaseException:  # Ctrl-C too
            path.unlink()  # of that name there was nothing: another /save may take it
            raise
    except FileExistsError:
        return f"{path} is there already: /save under another name"
    except (OSError, UnicodeEncodeError) as error:
        return f"not saved: {error}"
    return f"saved: {path}"
