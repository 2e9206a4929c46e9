"""chat and ask: a person's questions, or a script's, to a service that answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, Protocol

from lingctl import interrupts
from lingctl.errors import ConnectError, EngineError, UsageError
from lingctl.flows.look.running import need_no_lost_node
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.given_file import with_home
from lingctl.release.site import site_of
from lingctl.remote.group import Group
from lingctl.serving.chat import ChatOptions, Conversation, Reply, ReplyPart
from lingctl.serving.endpoint import NO_TLS_FILES, Endpoint, TlsFiles, endpoint_of
from lingctl.serving.faults import fault_of
from lingctl.serving.http.api import ModelKind, dialect_for
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import Limits
from lingctl.serving.http.models import kind_by_name, known
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.remedies import advice_for
from lingctl.serving.trouble import ExchangeTrouble

Kind = ModelKind | Literal["auto"]
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
def conversation_at(
    endpoint: Endpoint, options: ChatOptions, *, kind: Kind, patience: float
) -> Iterator[Conversation]:
    """A conversation with any service that can be reached from here. Raises as ``conversation_with``."""
    with client_for(endpoint, limits=Limits(idle=patience, total=_A_DAY)) as client:
        yield _begun(client, options, kind)


@contextmanager
def conversation_with(
    group: Group,
    cluster: Cluster,
    options: ChatOptions,
    *,
    kind: Kind,
    patience: float,
    tls: TlsFiles = NO_TLS_FILES,
) -> Iterator[Conversation]:
    """A conversation with a cluster's service, over SSH where its port is closed to this machine.

    Raises:
        ConnectError: nothing answers.
        EngineError: a node's daemon is dead or cannot be seen, or the service does not tell its models.
        UsageError: a chat is asked of a model that cannot chat.
    """
    need_no_lost_node(group, site_of(cluster), "chat")
    kind = cluster.catalogue_model.kind if kind == "auto" else kind
    limits = Limits(idle=patience, total=_A_DAY)
    with client_for(endpoint_of(cluster, tls=tls), forward_to(group, cluster), limits) as client:
        yield _begun(client, options, kind)


def _begun(client: Client, options: ChatOptions, kind: Kind) -> Conversation:
    listed = client.models()
    if isinstance(listed, ExchangeTrouble) and (listed.no_service or not client.endpoint.served_name):
        raise failure(client.endpoint, listed)
    client, mindie = known(client, listed)
    sure = kind_by_name(client.endpoint.served_name) if kind == "auto" else kind
    otherwise = dialect_for("base", mindie=mindie) if kind == "auto" else None
    return Conversation(client, options, dialect_for(sure, mindie=mindie), otherwise)


def failure(endpoint: Endpoint, trouble: ExchangeTrouble) -> ConnectError | EngineError:
    """The error that a trouble ends a command with."""
    kind = ConnectError if trouble.no_service else EngineError
    what = "nothing answers there" if trouble.no_service else "the service did not answer"
    remedy = advice_for(endpoint).remedy(trouble)
    return kind(what, where=endpoint.service_url, evidence=str(trouble), remedy=remedy, code="no-answer")


def ask(conversation: Conversation, question: str, talker: Talker) -> Reply:
    """One question.

    Raises:
        ConnectError: nothing answers.
        EngineError: the service refuses, fails, or ends in the middle.
    """
    try:
        with closing(conversation.ask(question)) as parts:
            for part in parts:
                talker.part(part)
    finally:
        talker.end()
    answer = conversation.last
    if answer.trouble:
        raise failure(conversation.client.endpoint, answer.trouble)
    if remark := _remark(answer):
        talker.note(remark)
    return answer


def chat(conversation: Conversation, talker: Talker) -> None:
    """Questions and answers until there are no more questions; to a person, a failed answer does not end it.

    Raises:
        UsageError: the model cannot chat.
        LingctlError: an answer failed, and a script asks.
    """
    if not conversation.chats:
        raise UsageError(
            f"{conversation.model} is a base model: it continues texts and does not chat",
            remedy="lingctl ask 'the beginning of a text'",
            code="cannot-chat",
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
        with closing(conversation.ask(question)) as parts:
            for part in parts:
                talker.part(part)
    except KeyboardInterrupt as interruption:
        if isinstance(interruption, interrupts.Interruption):
            raise
        stopped = True
    talker.end()
    answer = conversation.last
    if answer.trouble and not talker.is_person:
        raise failure(conversation.client.endpoint, answer.trouble)
    if answer.trouble:
        advice = advice_for(conversation.client.endpoint).remedy(answer.trouble)
        if fault_of(answer.trouble) == "length":
            advice = "the conversation no longer fits: /reset begins anew"
        talker.note(f"{answer.trouble}\nfix: {advice}")
    elif stopped:
        talker.note("stopped" if answer.text else "stopped before an answer came")
    elif remark := _remark(answer):
        talker.note(remark)


def _remark(answer: Reply) -> str:
    """What a reader must know of an answer that came."""
    if answer.thoughts and not (answer.text or answer.call):
        return "it ended while the model still thought: raise --max-tokens"
    if answer.finish_reason == "length":
        return "it ended at the limit of tokens"
    return "" if answer.text or answer.call else "the answer is empty"


def _save(path: Path, conversation: Conversation) -> str:
    """Write the conversation, for its owner alone; an existing file stays. What became of it, in words."""
    text = json.dumps(conversation.as_json(), ensure_ascii=False, indent=2) + "\n"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w") as file:
            file.write(text)
    except FileExistsError:
        return f"{path} is there already: /save under another name"
    except (OSError, UnicodeEncodeError) as error:
        return f"not saved: {error}"
    return f"saved: {path}"
