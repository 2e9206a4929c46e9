"""Weights onto every node: fetched where a hub can be reached, spread from node to node, proved equal."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.errors import ConnectError, LingctlError, WeightsError
from lingctl.events import Event, Listener
from lingctl.flows.weights.fetched import StoppedProgram
from lingctl.flows.weights.node_fetch import NodeFetch
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.spread.certificates import Authority
from lingctl.flows.weights.spread.chains import chains, givers, upstreams
from lingctl.flows.weights.spread.push import pushing
from lingctl.flows.weights.spread.sources import Found, each, find, has_choice, need_ready, one_head
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
    _need_equal(results)
    return results


def stop_on_nodes(group: Group, cluster: Cluster, folder: str) -> dict[str, bool]:
    """End what runs in the background on every node; tells where something did. What has arrived is kept."""

    def stop(connection: Connection) -> bool:
        return NodeFetch(connection, cluster, folder).ask(StoppedProgram, "stop").stopped

    return group.all(stop)


class _Spreading:
    """One run: keys handed out, givers listening, everybody fetching, followed to the end."""

    def __init__(
        self,
        group: Group,
        cluster: Cluster,
        nodes: Mapping[str, NodeFetch],
        found: Found,
        options: DownloadOptions,
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

    def run(self) -> dict[str, Fetched]:
        """See ``download_on_nodes``."""
        source = self._options.source
        try:
            ready = need_ready(self._group, self._make_ready, self._nodes)
            ports = {name: ready[name].port for name in self._givers}
            succeeded(each(self._group, lambda name: self._hand_over(name, ports), self._nodes))
        except LingctlError:
            self._end_giving()
            raise
        push = source.folder if source.kind == "folder" and not source.node else ""
        with pushing(self._group, self._nodes, self._found, self._authority, push, self._tls_name):
            results = self._get_all()
        self._end_giving()
        return succeeded(results)

    def _end_giving(self) -> None:
        each(self._group, lambda name: self._nodes[name].end_giving(), self._givers)

    def _get_all(self) -> dict[str, Fetched | LingctlError]:
        try:
            return each(self._group, self._get, self._nodes)
        except KeyboardInterrupt:
            words = "going on in the background; the same command follows it, with --stop it ends"
            self._listener(Event("download", "note", text=words))
            raise

    def _make_ready(self, name: str) -> Ready:
        """Look whether a node has room; who is to give files to others, begins to."""
        node, request = self._nodes[name], self._request(name, {})._replace(token="", proxy="")
        if name not in self._givers:
            return node.ready(request)
        address = self._cluster.node(name).service_address
        key = self._authority.issue(self._tls_name(name))
        gives = request._replace(host=address, port=self._options.port)
        return node.ready(gives, self._authority.certificate, serve=key)

    def _hand_over(self, name: str, ports: Mapping[str, int]) -> None:
        """Give a node its request, and its key where it needs one."""
        node = self._nodes[name]
        request = self._request(name, ports)
        if request.source in ("peer", "push"):
            key = self._authority.issue(self._tls_name(name))
            node.put_request(request, self._authority.certificate, fetch=key)
        else:
            node.put_request(request)

    def _request(self, name: str, ports: Mapping[str, int]) -> Request:
        if name in self._found.heads:
            return self._found.heads[name]
        asked = tuple(
            Upstream(self._tls_name(other), self._cluster.node(other).service_address, ports[other])
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

    def _get(self, name: str) -> Fetched:
        self._listener(Event("download", "started", name))
        try:
            hear = telling(self._listener, name)
            result = self._nodes[name].ask(Fetched, "get", timeout=_WEEK, hear=hear)
        except ConnectError as error:
            self._listener(Event("download", "note", name, "no longer followed; it goes on there"))
            remedy = "the download goes on there: run the same command again to follow it"
            raise error.but(remedy=remedy) from error
        except LingctlError as error:
            self._listener(Event("download", "failed", name, error.what))
            raise
        self._listener(Event("download", "done" if result.fetched_files else "unchanged", name))
        return result

    def _tls_name(self, name: str) -> str:
        return f"node-{self._cluster.node_names.index(name)}"


def _need_equal(results: Mapping[str, Fetched]) -> None:
    digests = {name: result.digest for name, result in results.items()}
    if len(set(digests.values())) > 1:
        raise WeightsError(
            "the nodes ended with different weights",
            where=", ".join(digests),
            evidence="\n".join(f"{digest}  {name}" for name, digest in digests.items()),
            remedy="read every file again: lingctl download ... --recheck",
            code="weights-differ",
        )
