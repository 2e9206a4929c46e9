"""Weights onto every node: fetched where a hub can be reached, spread from node to node, proved equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.errors import ConnectError, LingctlError
from lingctl.events import Event, Listener
from lingctl.flows.weights.fetched import StoppedProgram
from lingctl.flows.weights.node_fetch import NodeFetch
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.spread.certificates import Authority
from lingctl.flows.weights.spread.chains import chains, givers, upstreams
from lingctl.flows.weights.spread.push import pushing
from lingctl.flows.weights.spread.sources import (
    Found,
    each,
    find,
    has_choice,
    need_ready,
    need_same,
    one_head,
)
from lingctl.flows.weights.wanted import HUBS
from lingctl.inventory.cluster import Cluster
from lingctl.node.fetch.answers import Fetched, Ready
from lingctl.node.fetch.request import Request, Upstream
from lingctl.program.translate import telling
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group, succeeded

_WEEK = 7 * 86_400.0


def download_on_nodes(
    group: Group,
    cluster: Cluster,
    options: DownloadOptions,
    listener: Listener,
) -> dict[str, Fetched]:
    """Fill the folder on every node and prove that all have the same; the result of each node.

    The work goes on in the background on the nodes when the connection or this process ends; a second run
    picks it up.

    Raises:
        LingctlError: a node could not be reached, lacks space, or did not get what it should.
    """
    hub = options.settings.hub if options.source.kind in ("any", *HUBS) else ""
    nodes = group.all(lambda connection: NodeFetch(connection, cluster, options.folder, hub))
    found = find(nodes, group, options, listener)
    if has_choice(found, options.source):
        plain = Request(source="folder", repository="", files=found.files)
        found = one_head(found, need_ready(group, lambda name: nodes[name].ready(plain), nodes))
    results = _Spreading(group, cluster, nodes, found, options, listener).run()
    digests = {name: result.digest for name, result in results.items()}
    remedy = "read every file again: lingctl download ... --recheck"
    need_same(digests, "the nodes ended with different weights", remedy)
    return results


def stop_on_nodes(group: Group, cluster: Cluster, folder: str) -> dict[str, bool]:
    """End what runs in the background on every node; tells where something did. What has arrived is kept."""

    def stop(connection: Connection) -> bool:
        return NodeFetch(connection, cluster, folder).ask(StoppedProgram, "stop").stopped

    return group.all(stop)


@dataclass
class _Spreading:
    """One run: keys handed out, givers listening, everybody fetching, followed to the end."""

    group: Group
    cluster: Cluster
    nodes: Mapping[str, NodeFetch]
    found: Found
    options: DownloadOptions
    listener: Listener

    def __post_init__(self) -> None:
        self.authority = Authority()
        made = chains(list(self.found.heads), [name for name in self.nodes if name not in self.found.heads])
        self.asks, self.givers = upstreams(made), givers(made)

    def run(self) -> dict[str, Fetched]:
        """See ``download_on_nodes``."""
        source = self.options.source
        try:
            ready = need_ready(self.group, self._make_ready, self.nodes)
            ports = {name: ready[name].port for name in self.givers}
            succeeded(each(self.group, lambda name: self._hand_over(name, ports), self.nodes))
        except LingctlError:
            self._end_giving()
            raise
        push = source.folder if source.kind == "folder" and not source.node else ""
        with pushing(self.group, self.nodes, self.found, self.authority, push, self._tls_name):
            results = self._get_all()
        self._end_giving()
        return succeeded(results)

    def _end_giving(self) -> None:
        each(self.group, lambda name: self.nodes[name].end_giving(), self.givers)

    def _get_all(self) -> dict[str, Fetched | LingctlError]:
        try:
            return each(self.group, self._get, self.nodes)
        except KeyboardInterrupt:
            words = "going on in the background; the same command follows it, with --stop it ends"
            self.listener(Event("download", "note", text=words))
            raise

    def _make_ready(self, name: str) -> Ready:
        """Look whether a node has room; who is to give files to others, begins to."""
        node, request = self.nodes[name], self._request(name, {})._replace(token="", proxy="")
        if name not in self.givers:
            return node.ready(request)
        address = self.cluster.node(name).service_address
        gives = request._replace(host=address, port=self.options.port)
        return node.ready(gives, **self._tls(name, "serve"))

    def _hand_over(self, name: str, ports: Mapping[str, int]) -> None:
        """Give a node its request, and its key where it needs one."""
        request = self._request(name, ports)
        tls = self._tls(name, "fetch") if request.source in ("peer", "push") else {}
        self.nodes[name].put_request(request, **tls)

    def _tls(self, name: str, program: str) -> dict[str, bytes]:
        """What a program of a node needs to prove itself, and to believe the others."""
        return {"ca": self.authority.certificate, program: self.authority.issue(self._tls_name(name))}

    def _request(self, name: str, ports: Mapping[str, int]) -> Request:
        if name in self.found.heads:
            return self.found.heads[name]
        asked = tuple(
            Upstream(self._tls_name(other), self.cluster.node(other).service_address, ports[other])
            for other in self.asks[name]
            if other in ports
        )
        return Request(
            source="peer",
            repository="",
            files=self.found.files,
            recheck=self.options.recheck,
            upstreams=asked,
        )

    def _get(self, name: str) -> Fetched:
        self.listener(Event("download", "started", name))
        try:
            hear = telling(self.listener, name)
            result = self.nodes[name].ask(Fetched, "get", timeout=_WEEK, hear=hear)
        except ConnectError as error:
            self.listener(Event("download", "note", name, "no longer followed; it goes on there"))
            remedy = "the download goes on there: run the same command again to follow it"
            raise error.but(remedy=remedy) from error
        except LingctlError as error:
            self.listener(Event("download", "failed", name, error.what))
            raise
        self.listener(Event("download", "done" if result.fetched_files else "unchanged", name))
        return result

    def _tls_name(self, name: str) -> str:
        return f"node-{self.cluster.node_names.index(name)}"
