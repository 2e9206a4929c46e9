"""Before the first byte: what is wanted, which nodes can get it from elsewhere, and whether there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from lingctl.errors import ConnectError, LingctlError, NodeError, WeightsError
from lingctl.flows.weights.fetched import Listing, Room, WholeFolder
from lingctl.flows.weights.node_fetch import NodeFetch
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.wanted import WeightsSource
from lingctl.node.fetch.folder import FolderSource
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.request import Request
from lingctl.program.translate import troubles_as_errors
from lingctl.remote.group import Group, raise_failures, succeeded

T = TypeVar("T")
_LIST_SECONDS = 180.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Found:
    """What is wanted, and which nodes get it from elsewhere than other nodes, with their requests."""

    files: tuple[ListedFile, ...]
    heads: Mapping[str, Request]


def each(group: Group, work: Callable[[str], T], names: Iterable[str]) -> dict[str, T | LingctlError]:
    """Do ``work`` for some nodes, side by side; an outcome or an error for each."""
    chosen = Group({name: group[name] for name in names})
    return chosen.map(lambda connection: work(connection.node), together=True)


def find(nodes: Mapping[str, NodeFetch], group: Group, options: DownloadOptions) -> Found:
    """What is wanted, and who can get it. Raises LingctlError: nobody can."""
    if options.source.kind == "node":
        return _on_nodes(nodes, group)
    if options.source.kind == "folder":
        return _in_folder(nodes, options.source, recheck=options.recheck)
    return _on_hub(nodes, group, options)


def _on_hub(nodes: Mapping[str, NodeFetch], group: Group, options: DownloadOptions) -> Found:
    settings = options.settings

    def ask(name: str) -> tuple[Request, tuple[ListedFile, ...]]:
        node = nodes[name]
        request = Request(
            source=settings.hub,
            repository=options.model.repository,
            revision=options.revision,
            endpoint=settings.endpoint,
            proxy=settings.proxy,
            token=settings.token,
            ca=settings.ca,
            python=node.client_python(settings.hub),
            library=node.library if settings.hub == "modelscope" else "",
            recheck=options.recheck,
        )
        node.put_request(request)
        return request, node.ask(Listing, "list", timeout=_LIST_SECONDS).wanted(name)

    answers = each(group, ask, nodes)
    reached = {name: answer for name, answer in answers.items() if not isinstance(answer, LingctlError)}
    if not reached:
        raise_failures(answers)
    files = next(iter(reached.values()))[1]
    return Found(files, {name: answer[0]._replace(files=files) for name, answer in reached.items()})


def _on_nodes(nodes: Mapping[str, NodeFetch], group: Group) -> Found:
    answers = each(group, lambda name: nodes[name].ask(WholeFolder, "have", timeout=_DAY), nodes)
    whole = {name: answer for name, answer in answers.items() if isinstance(answer, WholeFolder)}
    if not whole:
        _need_somebody(answers)
    digests = {name: answer.digest for name, answer in whole.items()}
    if len(set(digests.values())) > 1:
        raise WeightsError(
            "the nodes that have the weights have different ones",
            where=", ".join(digests),
            evidence="\n".join(f"{digest}  {name}" for name, digest in digests.items()),
            remedy="decide which are right and remove the others, or name one: --source NODE:/FOLDER",
            code="weights-differ",
        )
    first, answer = next(iter(whole.items()))
    files = answer.wanted(first)
    return Found(
        files,
        {name: Request(source="folder", repository=nodes[name].folder, files=files) for name in whole},
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


def need_space(nodes: Mapping[str, NodeFetch], group: Group, found: Found) -> dict[str, int]:
    """Bytes that each node lacks; all must have room for them before the first byte is fetched."""

    def look(name: str) -> Room:
        nodes[name].put_request(Request(source="folder", repository="", files=found.files))
        return nodes[name].ask(Room, "look")

    rooms = succeeded(each(group, look, nodes))
    short = {name: room for name, room in rooms.items() if not room.enough}
    if short:
        raise NodeError(
            "too little space on the disk; nothing was fetched",
            where=", ".join(short),
            evidence="\n".join(
                f"{name}: {room.folder} needs {room.need:,} bytes, {room.free:,} are free"
                for name, room in short.items()
            ),
            remedy="free some space there, or choose another folder (--to, or paths.models in hosts.yaml)",
            code="disk-space",
        )
    return {name: room.missing_bytes for name, room in rooms.items()}


def fewest_heads(found: Found, source: WeightsSource, missing: Mapping[str, int]) -> Found:
    """Fetch once: of several nodes that could fetch, the one that lacks least does, unless all shall."""
    one = source.kind == "any" or (source.kind == "folder" and not source.node)
    if not one:
        return found
    head = min(found.heads, key=lambda name: missing[name])
    return replace(found, heads={head: found.heads[head]})
