"""Weights onto every node: fetched where a hub can be reached, spread from node to node, proved equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lingctl.errors import LingctlError, NodeError, UsageError, WeightsError
from lingctl.events import Event, Listener
from lingctl.flows.here import node_errors
from lingctl.flows.push import pushing
from lingctl.flows.told import reporting
from lingctl.inventory.cluster import Cluster
from lingctl.node.fetch.folder import FolderSource
from lingctl.node.fetch.listing import Wanted, read_listing
from lingctl.node.fetch.request import Request, Upstream
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group, raise_failures
from lingctl.weights.certificates import Authority
from lingctl.weights.chains import chains, givers, upstreams
from lingctl.weights.node_fetch import NodeFetch
from lingctl.weights.settings import HubSettings
from lingctl.weights.wanted import HUBS, WantedModel, WeightsSource

_FOLDER = re.compile(r"^/[A-Za-z0-9_./-]+$")
_LIST_SECONDS = 180.0
_DAY = 86_400.0
_WEEK = 7 * _DAY


@dataclass(frozen=True, slots=True)
class SpreadOptions:
    """What the user may choose.

    Attributes:
        folder: of the weights, on every node.
        revision: branch, tag or commit; empty for the hub's default.
        recheck: read again what was verified before.
        port: that nodes give files on; 0 for any.
    """

    folder: str
    revision: str = ""
    recheck: bool = False
    port: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """What is wanted, and which nodes get it from elsewhere than other nodes, with their requests."""

    files: tuple[Wanted, ...]
    heads: Mapping[str, Request]


def download_on_nodes(
    group: Group,
    cluster: Cluster,
    model: WantedModel,
    source: WeightsSource,
    settings: HubSettings,
    options: SpreadOptions,
    listener: Listener,
) -> dict[str, Mapping[str, object]]:
    """Fill the folder on every node and prove that all have the same; the result of each node.

    The work goes on in the background on the nodes when the connection or this process ends; a second run
    picks it up.

    Raises:
        LingctlError: a node could not be reached, lacks space, or did not get what it should.
    """
    hub = settings.hub if source.kind in ("any", *HUBS) else ""
    nodes = group.all(lambda connection: NodeFetch(connection, cluster.state_dir, options.folder, hub))
    _follow_running(nodes, group, listener)
    found = _find(nodes, group, model, source, settings, options)
    missing = _need_space(nodes, group, found)
    found = _fewest_heads(found, source, missing)
    results = _Spreading(group, cluster, nodes, found, options, listener).run(source)
    _need_equal(results)
    return results


def folder_on_nodes(cluster: Cluster, model: WantedModel, to: str | None) -> str:
    """Where a model's weights go on the nodes.

    Raises:
        UsageError: ``to`` is not an absolute path of the characters that MindIE allows.
    """
    if to is None:
        of_cluster = cluster.catalogue_model.repository == model.repository
        return cluster.downloaded_weights if of_cluster else f"{cluster.paths.models}/{model.folder}"
    if not _FOLDER.match(to):
        raise UsageError(
            f"--to {to!r} cannot be a folder of weights on a node",
            remedy="write an absolute path of A-Z a-z 0-9 _ . / -: MindIE refuses others",
            code="folder-wrong",
        )
    return to.rstrip("/")


def stop_on_nodes(group: Group, cluster: Cluster, folder: str) -> dict[str, bool]:
    """End what runs in the background on every node; tells where something did. What has arrived is kept."""

    def stop(connection: Connection) -> bool:
        return NodeFetch(connection, cluster.state_dir, folder).call("stop").get("stopped") is True

    return group.all(stop)


def _each(group: Group, work: Callable[[str], object], names: Sequence[str]) -> dict[str, object]:
    chosen = Group({name: group[name] for name in names})
    return dict(chosen.map(lambda connection: work(connection.node)))


def _follow_running(nodes: Mapping[str, NodeFetch], group: Group, listener: Listener) -> None:
    """Wait for what an earlier run left running; how it ended is looked at afterwards."""
    names = [name for name, node in nodes.items() if node.running]
    for name in names:
        listener(Event("download", "note", name, "a download is running there already: following it"))
    _each(
        group,
        lambda name: nodes[name].call("follow", timeout=_WEEK, hear=reporting(listener, name)),
        names,
    )


def _find(
    nodes: Mapping[str, NodeFetch],
    group: Group,
    model: WantedModel,
    source: WeightsSource,
    settings: HubSettings,
    options: SpreadOptions,
) -> _Found:
    if source.kind == "node":
        return _on_nodes(nodes, group)
    if source.kind == "folder":
        return _in_folder(nodes, source, options)
    return _on_hub(nodes, group, model, settings, options)


def _on_hub(
    nodes: Mapping[str, NodeFetch],
    group: Group,
    model: WantedModel,
    settings: HubSettings,
    options: SpreadOptions,
) -> _Found:
    def ask(name: str) -> tuple[Request, tuple[Wanted, ...]]:
        node = nodes[name]
        request = Request(
            source=settings.hub,
            repository=model.repository,
            revision=options.revision,
            endpoint=settings.endpoint,
            proxy=settings.proxy,
            token=settings.token,
            python=node.client_python(settings.hub),
            library=node.library if settings.hub == "modelscope" else "",
            recheck=options.recheck,
        )
        node.put_request(request)
        return request, read_listing(node.call("list", timeout=_LIST_SECONDS)["files"], name)

    with node_errors():
        answers = _each(group, ask, list(nodes))
    reached = {name: answer for name, answer in answers.items() if isinstance(answer, tuple)}
    if not reached:
        raise_failures(answers)
    files = next(iter(reached.values()))[1]
    return _Found(files, {name: answer[0]._replace(files=files) for name, answer in reached.items()})


def _on_nodes(nodes: Mapping[str, NodeFetch], group: Group) -> _Found:
    answers = _each(group, lambda name: nodes[name].call("have", timeout=_DAY), list(nodes))
    whole = {name: answer for name, answer in answers.items() if isinstance(answer, Mapping)}
    if not whole:
        raise_failures(answers)
    digests = {name: str(answer["digest"]) for name, answer in whole.items()}
    if len(set(digests.values())) > 1:
        raise WeightsError(
            "the nodes that have the weights have different ones",
            where=", ".join(digests),
            evidence="\n".join(f"{digest}  {name}" for name, digest in digests.items()),
            remedy="decide which are right and remove the others, or name one: --source NODE:/FOLDER",
            code="weights-differ",
        )
    with node_errors():
        files = read_listing(next(iter(whole.values()))["files"], next(iter(whole)))
    return _Found(
        files,
        {name: Request(source="folder", repository=nodes[name].folder, files=files) for name in whole},
    )


def _in_folder(nodes: Mapping[str, NodeFetch], source: WeightsSource, options: SpreadOptions) -> _Found:
    if not source.node:
        with node_errors():
            files = FolderSource(source.folder).listing()
        push = Request(source="push", repository=source.folder, files=files, recheck=options.recheck)
        return _Found(files, dict.fromkeys(nodes, push))
    request = Request(source="folder", repository=source.folder, recheck=options.recheck)
    node = nodes[source.node]
    node.put_request(request)
    with node_errors():
        files = read_listing(node.call("list", timeout=_DAY)["files"], source.node)
    return _Found(files, {source.node: request._replace(files=files)})


def _need_space(nodes: Mapping[str, NodeFetch], group: Group, found: _Found) -> dict[str, int]:
    """Bytes that each node lacks; all must have room for them before the first byte is fetched."""

    def look(name: str) -> Mapping[str, object]:
        nodes[name].put_request(Request(source="folder", repository="", files=found.files))
        return nodes[name].call("look")

    looks = _each(group, look, list(nodes))
    raise_failures(looks)
    short = {name: seen for name, seen in looks.items() if isinstance(seen, Mapping) and not seen["enough"]}
    if short:
        raise NodeError(
            "too little space on the disk; nothing was fetched",
            where=", ".join(short),
            evidence="\n".join(f"{name}: {_space(seen)}" for name, seen in short.items()),
            remedy="free some space there, or choose another folder (--to, or paths.models in hosts.yaml)",
            code="disk-space",
        )
    missing = {name: seen["missing_bytes"] for name, seen in looks.items() if isinstance(seen, Mapping)}
    return {name: int(str(count)) for name, count in missing.items()}


def _space(seen: Mapping[str, object]) -> str:
    return f"{seen['folder']} needs {int(str(seen['need'])):,} bytes, {int(str(seen['free'])):,} are free"


def _fewest_heads(found: _Found, source: WeightsSource, missing: Mapping[str, int]) -> _Found:
    """Fetch once: of several nodes that could fetch, the one that lacks least does, unless all shall."""
    one = source.kind == "any" or (source.kind == "folder" and not source.node)
    if not one:
        return found
    head = min(found.heads, key=lambda name: missing[name])
    return replace(found, heads={head: found.heads[head]})


class _Spreading:
    """One run: keys handed out, givers listening, everybody fetching, followed to the end."""

    def __init__(
        self,
        group: Group,
        cluster: Cluster,
        nodes: Mapping[str, NodeFetch],
        found: _Found,
        options: SpreadOptions,
        listener: Listener,
    ) -> None:
        self._group = group
        self._cluster = cluster
        self._nodes = nodes
        self._found = found
        self._options = options
        self._listener = listener
        self._authority = Authority()
        followers = [name for name in nodes if name not in found.heads]
        self._chains = chains(list(found.heads), followers)
        self._asks = upstreams(self._chains)
        self._givers = givers(self._chains)

    def run(self, source: WeightsSource) -> dict[str, Mapping[str, object]]:
        """See ``download_on_nodes``."""
        ports = self._all(self._listen, self._givers)
        self._all(lambda name: self._start(name, ports), list(self._nodes))
        push = source.folder if source.kind == "folder" and not source.node else ""
        with pushing(self._group, self._nodes, self._found, self._authority, push, self._tls_name):
            results = _each(self._group, self._follow, list(self._nodes))
        _each(self._group, lambda name: self._nodes[name].call("serve-stop"), self._givers)
        raise_failures(results)
        return {name: result for name, result in results.items() if isinstance(result, Mapping)}

    def _listen(self, name: str) -> int:
        """Have a node give files to others; the port it does so on."""
        node = self._nodes[name]
        address = self._cluster.node(name).service_address
        request = self._request(name, {})._replace(host=address, port=self._options.port)
        node.put_request(request)
        node.put_keys(self._authority.certificate, {"serve": self._authority.issue(self._tls_name(name))})
        return int(str(node.call("serve-start")["port"]))

    def _start(self, name: str, ports: Mapping[str, object]) -> None:
        node = self._nodes[name]
        request = self._request(name, ports)
        if request.source in ("peer", "push"):
            node.put_keys(self._authority.certificate, {"fetch": self._authority.issue(self._tls_name(name))})
        node.put_request(request)
        node.call("start")

    def _request(self, name: str, ports: Mapping[str, object]) -> Request:
        if name in self._found.heads:
            return self._found.heads[name]
        asked = tuple(
            Upstream(self._tls_name(other), self._cluster.node(other).service_address, int(str(ports[other])))
            for other in self._asks[name]
            if other in ports
        )
        return Request(
            source="peer",
            repository="",
            files=self._found.files,
            recheck=self._options.recheck,
            upstreams=asked,
        )

    def _follow(self, name: str) -> Mapping[str, object]:
        self._listener(Event("download", "started", name))
        try:
            result = self._nodes[name].call("follow", timeout=_WEEK, hear=reporting(self._listener, name))
        except LingctlError as error:
            self._listener(Event("download", "failed", name, error.what))
            raise
        self._listener(Event("download", "done" if result["fetched_files"] else "unchanged", name))
        return result

    def _tls_name(self, name: str) -> str:
        return f"node-{self._cluster.node_names.index(name)}"

    def _all(self, work: Callable[[str], object], names: Sequence[str]) -> dict[str, object]:
        outcomes = _each(self._group, work, names)
        raise_failures(outcomes)
        return outcomes


def _need_equal(results: Mapping[str, Mapping[str, object]]) -> None:
    digests = {name: str(result["digest"]) for name, result in results.items()}
    if len(set(digests.values())) > 1:
        raise WeightsError(
            "the nodes ended with different weights",
            where=", ".join(digests),
            evidence="\n".join(f"{digest}  {name}" for name, digest in digests.items()),
            remedy="read every file again: lingctl download ... --recheck",
            code="weights-differ",
        )
