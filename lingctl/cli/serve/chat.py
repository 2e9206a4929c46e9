"""``lingctl chat``."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import NodesOption
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


def chat(
    nodes: NodesOption = None,
    url: UrlOption = "",
    model: ModelOption = "",
    system: SystemOption = "",
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print thoughts and calls as the answer, and nothing of lingctl's.")
    ] = False,
    kind: KindOption = "auto",
    patience: PatienceOption = 60.0,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Talk to the service: answers as they come, with the time to the first token and tokens per second.

    /reset forgets, /save FILE keeps, /quit or Ctrl-D ends. Ctrl-C ends an answer. It goes through SSH where
    the port is not open from here. An API key is taken from LINGCTL_API_KEY.
    """
    from lingctl.cli.serve.target import chosen_cluster, talking
    from lingctl.flows.serve.chat import chat as converse
    from lingctl.output.screen.terminal import interactive, say
    from lingctl.output.verbs.chat import ChatTerminal
    from lingctl.serving.chat import ChatOptions
    from lingctl.serving.endpoint import TlsFiles

    options = ChatOptions(system, temperature, max_tokens, raw)
    cluster, tls = chosen_cluster(nodes, url, model), TlsFiles(ca, cert, key)
    with talking(cluster, url, model, tls, options, kind=kind, patience=patience) as conversation:
        if interactive():
            say(f"{conversation.model} at {conversation.client.endpoint.service_url}; /help, /quit")
        converse(conversation, ChatTerminal(raw=raw))
