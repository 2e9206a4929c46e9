"""What the verbs that talk to a service share: which service, and how to get to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from lingctl.events import Listener
    from lingctl.flows.serve.asked_service import AskedService
    from lingctl.inventory.cluster import Cluster
    from lingctl.serving.chat import ChatOptions, Conversation
    from lingctl.serving.endpoint import TlsFiles
    from lingctl.serving.http.api import AskedKind

UrlOption = Annotated[
    str, typer.Option("--url", help="Any OpenAI-compatible service instead of a cluster's.", metavar="URL")
]
ModelOption = Annotated[
    str, typer.Option("--model", help="Served name (--url only); default: the first listed.")
]
KindOption = Annotated[
    Literal["auto", "chat", "base"], typer.Option("--kind", help="Ask it as a chat or as a base model.")
]
CaOption = Annotated[
    Path | None, typer.Option("--ca", help="Authority that signed the service's certificate (HTTPS).")
]
CertOption = Annotated[
    Path | None,
    typer.Option("--cert", help="Certificate to show to the service; MindIE's HTTPS asks for one."),
]
KeyOption = Annotated[Path | None, typer.Option("--key", help="Its private key, if in another file.")]
SystemOption = Annotated[str, typer.Option("--system", help="System message.")]
TemperatureOption = Annotated[
    float | None, typer.Option("--temperature", min=0, help="0 for greedy; default: the service's own.")
]
MaxTokensOption = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Most tokens of an answer; default: the service's.")
]
PatienceOption = Annotated[
    float,
    typer.Option("--patience", min=1, help="Seconds of silence after which an answer counts as stuck."),
]


def chosen_cluster(nodes: Path | None, url: str, model: str) -> Cluster | None:
    """The cluster that is meant; None where it is a service at a URL, or MindIE on this machine.

    Raises:
        UsageError: two services are named, or a name for the model of a cluster.
        ConfigurationError: hosts.yaml is wrong.
    """
    from lingctl.cli.common import optional_cluster
    from lingctl.errors import UsageError

    if url and nodes:
        raise UsageError("--nodes and --url exclude each other", code="two-targets")
    cluster = None if url else optional_cluster(nodes)
    if cluster is not None and model:
        remedy = "the cluster's name for it is serving.served_name in hosts.yaml"
        raise UsageError("--model goes with --url", remedy=remedy, code="model-of-cluster")
    return cluster


@contextmanager
def asked_service(
    cluster: Cluster | None,
    url: str,
    model: str,
    tls: TlsFiles,
    listener: Listener,
    *,
    node: list[str] | None = None,
) -> Iterator[AskedService]:
    """The service of a cluster, whose nodes are logged in to; of none, the one that is named by its URL.

    Args:
        cluster: as ``chosen_cluster`` gives it.
        node: names of the cluster's nodes that are asked; all where there are none.
    """
    from lingctl.cli.common import chosen_nodes
    from lingctl.errors import UsageError
    from lingctl.flows.serve.asked_service import ClusterService, UrlService
    from lingctl.remote.group import connect
    from lingctl.serving.endpoint import DEFAULT_URL, endpoint_at

    if cluster is not None:
        with connect(cluster, listener, only=chosen_nodes(cluster, node)) as group:
            yield ClusterService(group, cluster, tls)
    elif node:
        raise UsageError("--node is about a cluster's nodes", code="node-without-cluster")
    else:
        yield UrlService(endpoint_at(url or DEFAULT_URL, served_name=model, tls=tls))


@contextmanager
def talking(
    cluster: Cluster | None,
    url: str,
    model: str,
    tls: TlsFiles,
    options: ChatOptions,
    *,
    kind: AskedKind,
    patience: float,
) -> Iterator[Conversation]:
    """A conversation with the service that is meant. Raises as ``conversation_with``."""
    from lingctl.events import ignore
    from lingctl.flows.serve.chat import conversation_with
    from lingctl.output.progress import progress

    with ExitStack() as held:
        # Nothing is drawn while somebody talks; and without nodes there is nothing to be drawn before.
        with nullcontext(ignore) if cluster is None else progress() as listener:
            service = held.enter_context(asked_service(cluster, url, model, tls, listener))
            begun = conversation_with(service, options, kind=kind, patience=patience)
            conversation = held.enter_context(begun)
        yield conversation
