"""``lingctl ask``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, NodesOption
from lingctl.cli.serve.target import (
    CaOption,
    CertOption,
    KeyOption,
    KindOption,
    MaxTokensOption,
    ModelOption,
    PatienceOption,
    SystemOption,
    TemperatureOption,
    UrlOption,
)


def ask(
    question: Annotated[
        str,
        typer.Argument(
            metavar="[QUESTION]", help="What to ask; without it, or with -, what stands on standard input."
        ),
    ] = "",
    nodes: NodesOption = None,
    url: UrlOption = "",
    model: ModelOption = "",
    system: SystemOption = "",
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print thoughts and calls as the answer too.")] = False,
    kind: KindOption = "auto",
    patience: PatienceOption = 60.0,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask one question: the answer on standard output, for scripts and pipes. A base model continues a text.

    Exit status: 0 answered, 1 not answered, 4 nothing answers there.
    """
    from lingctl.cli.serve.target import chosen_cluster, talking
    from lingctl.flows.serve.chat import ask as ask_once
    from lingctl.output.documents import print_json
    from lingctl.output.verbs.chat import ChatTerminal, ScriptTerminal, Silent, read_question
    from lingctl.serving.chat import ChatOptions
    from lingctl.serving.endpoint import TlsFiles

    asked = read_question(question)
    options = ChatOptions(system, temperature, max_tokens, raw)
    cluster, tls = chosen_cluster(nodes, url, model), TlsFiles(ca, cert, key)
    with talking(cluster, url, model, tls, options, kind=kind, patience=patience) as conversation:
        if as_json:
            talker: ChatTerminal | Silent = Silent()
        else:
            talker = ChatTerminal(raw=raw) if raw or sys.stdout.isatty() else ScriptTerminal()
        answer = ask_once(conversation, asked, talker)
        if as_json:
            print_json("ask", {"model": conversation.model, "question": asked, **answer.as_json()})
