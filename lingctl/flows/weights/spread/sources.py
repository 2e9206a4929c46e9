"""Before the first byte: what is wanted, which nodes can get it from elsewhere, and whether there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from lingctl.errors import ConnectError, LingctlError, NodeError, WeightsError
from lingctl.events import Listener
from lingctl.flows.weights.fetched import Listing, WholeFolder
from lingctl.flows.weights.node_fetch import NodeFetch
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.wanted import WeightsSource
from lingctl.node.fetch.answers import Ready
from lingctl.node.fetch.folder import FolderSource
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.request import Request
from lingctl.program.translate import telling, troubles_as_errors
from lingctl.remote.group import Group, raise_failures, succeeded

T = TypeVar("T")
_LIST_SECONDS = 180.0
_DAY = 86_400.0
_WEEK = 7 * _DAY


@dataclass(frozen=True, slots=True)
class Found:
    """What is wanted, and which nodes get it from elsewhere than other nodes, with their requests."""

    files: tuple[ListedFile, ...]
    heads: Mapping[str, Request]


def each(group: Group, work: Callable[[str], T], names: Iterable[str]) -> dict[str, T | LingctlError]:
    """Do ``work`` for some nodes, side by side; an outcome or an error for each."""
    chosen = group.only(names)
    return chosen.map(lambda connection: work(connection.node), together=True)


def find(nodes: Mapping[str, NodeFetch], group: Group, options: DownloadOptions, listener: Listener) -> Found:
    """What is wanted, and who can get it; first waits for what an earlier run left running.

    Raises:
        LingctlError: nobody can.
    """
    if options.source.kind == "node":
        return _on_nodes(nodes, group, listener)
    each(
        group,
        lambda name: nodes[name].ask(dict, "follow", timeout=_WEEK, hear=telling(listener, name)),
        nodes,
    )
    if options.source.kind == "folder":
        return _in_folder(nodes, options.source, recheck=options.recheck)
    return _on_hub(nodes, group, options)


def _on_hub(nodes: Mapping[str, NodeFetch], group: Group, options: DownloadOptions) -> Found:
    hub = options.settings.hub

    def ask(name: str) -> tuple[Request, tuple[ListedFile, ...]]:
        node = nodes[name]
        library = node.library if hub == "modelscope" else ""
        request = options.hub_request(python=node.client_python(hub), library=library)
        node.put_request(request)
        return request, node.ask(Listing, "list", timeout=_LIST_SECONDS).wanted(name)

    answers = each(group, ask, nodes)
    reached = {name: answer for name, answer in answers.items() if not isinstance(answer, LingctlError)}
    if not reached:
        raise_failures(answers)
    files = next(iter(reached.values()))[1]
    return Found(files, {name: answer[0]._replace(files=files) for name, answer in reached.items()})


def _on_nodes(nodes: Mapping[str, NodeFetch], group: Group, listener: Listener) -> Found:
    answers = each(
        group,
        lambda name: nodes[name].ask(WholeFolder, "have", timeout=_WEEK, hear=telling(listener, name)),
        nodes,
    )
    whole = {name: answer for name, answer in answers.items() if isinstance(answer, WholeFolder)}
    if not whole:
        _need_somebody(answers)
    digests = {name: answer.digest for name, answer in whole.items()}
    remedy = "decide which are right and remove the others, or name one: --source NODE:/FOLDER"
    need_same(digests, "the nodes that have the weights have different ones", remedy)
    first, answer = next(iter(whole.items()))
    files = answer.wanted(first)
    return Found(
        files,
        {name: Request(source="folder", repository=nodes[name].folder, files=files) for name in whole},
    )


def need_same(digests: Mapping[str, str], what: str, remedy: str) -> None:
    """See that the nodes have the same weights. Raises WeightsError: they do not."""
    if len(set(digests.values())) > 1:
        raise WeightsError(
            what,
            where=", ".join(digests),
            evidence="\n".join(f"{digest}  {name}" for name, digest in digests.items()),
            remedy=remedy,
            code="weights-differ",
        )


def _need_somebody(answers: Mapping[str, object]) -> None:
    """Raise why no node can give the weights to the others: it has none, or cannot be asked."""
    failed = {name: answer for name, answer in answers.items() if isinstance(answer, LingctlError)}
    if all(isinstance(error, ConnectError) for error in failed.values()):
        raise_failures(answers)
    raise WeightsError(
        "no node has the whole weights",
        where=", ".join(failed),
        evidence="\n".join(f"{name}: {error.what}" for name, error in failed.items()),
        remedy="bring them to one node first: leave --source out to take them from the hub, or name the "
        "folder that has them: --source NODE:/FOLDER",
        code="no-weights",
    )


def _in_folder(nodes: Mapping[str, NodeFetch], source: WeightsSource, *, recheck: bool) -> Found:
    if not source.node:
        with troubles_as_errors():
            files = FolderSource(source.folder).listing()
        push = Request(source="push", repository=source.folder, files=files, recheck=recheck)
        return Found(files, dict.fromkeys(nodes, push))
    request = Request(source="folder", repository=source.folder, recheck=recheck)
    node = nodes[source.node]
    node.put_request(request)
    files = node.ask(Listing, "list", timeout=_DAY).wanted(source.node)
    return Found(files, {source.node: request._replace(files=files)})


def need_ready(group: Group, ask: Callable[[str], Ready], names: Iterable[str]) -> dict[str, Ready]:
    """What each node lacks; all must have room for it before the first byte is fetched.

    Raises:
        LingctlError: one has not, or cannot be asked.
    """
    answers = succeeded(each(group, ask, names))
    short = {name: answer for name, answer in answers.items() if not answer.enough}
    if short:
        raise NodeError(
            "too little space on the disk; nothing was fetched",
            where=", ".join(short),
            evidence="\n".join(
                f"{name}: {answer.folder} needs {answer.need:,} bytes, {answer.free:,} are free"
                for name, answer in short.items()
            ),
            code="disk-space",
        )
    return answers


def has_choice(found: Found, source: WeightsSource) -> bool:
    """Whether one node is to fetch for all, and several could."""
    one = source.kind == "any" or (source.kind == "folder" and not source.node)
    return one and len(found.heads) > 1


def one_head(found: Found, ready: Mapping[str, Ready]) -> Found:
    """Of several nodes that could fetch, the one that lacks least does."""
    head = min(found.heads, key=lambda name: ready[name].missing_bytes)
    return replace(found, heads={head: found.heads[head]})
