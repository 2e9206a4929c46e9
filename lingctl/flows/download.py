"""Download weights to this machine, by the hub's own client, or onto the nodes, as a change of theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lingctl.errors import LingctlError
from lingctl.events import Listener
from lingctl.flows.change import Change, changing
from lingctl.flows.here import node_errors
from lingctl.flows.spread import download_on_nodes, stop_on_nodes
from lingctl.flows.spread_sources import SpreadOptions
from lingctl.flows.told import reporting
from lingctl.inventory.cluster import Cluster
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.worker import download
from lingctl.release.journal import Result
from lingctl.remote.group import Group
from lingctl.weights.settings import HubSettings
from lingctl.weights.wanted import WantedModel, WeightsSource


def download_here(
    model: WantedModel,
    folder: Path,
    source: WeightsSource,
    settings: HubSettings,
    revision: str,
    listener: Listener,
    *,
    recheck: bool = False,
) -> dict[str, object]:
    """Fill ``folder`` on this machine; its files, bytes and digests.

    Args:
        model: what.
        folder: where to.
        source: where from: a hub, or a folder.
        settings: of the hub.
        revision: branch, tag or commit; empty for the hub's default.
        listener: hears of progress.
        recheck: read again what was verified before.

    Raises:
        UsageError: the folder or the source makes no sense.
        WeightsError: something did not come, or not as listed. What is complete is kept.
    """
    from_folder = source.kind == "folder"
    request = Request(
        source="folder" if from_folder else settings.hub,
        repository=source.folder if from_folder else model.repository,
        revision=revision,
        endpoint=settings.endpoint,
        proxy=settings.proxy,
        token=settings.token,
        python=sys.executable,
        recheck=recheck,
    )
    with node_errors():
        return download(request, str(folder), reporting(listener))


def download_as_change(
    group: Group,
    cluster: Cluster,
    model: WantedModel,
    source: WeightsSource,
    settings: HubSettings,
    options: SpreadOptions,
    listener: Listener,
    *,
    wait: float = 0.0,
) -> dict[str, Mapping[str, object]]:
    """``download_on_nodes`` while the cluster's lock is held, with its lines in each node's audit log.

    Args:
        group: connections to all nodes.
        cluster: whose nodes.
        model: what.
        source: where from.
        settings: of the hub.
        options: where to, and how.
        listener: hears of waiting and of progress.
        wait: seconds to wait for somebody else's change to end.

    Raises:
        LockedError: somebody else is changing this cluster.
        LingctlError: see ``download_on_nodes``.
    """
    title = f"download {model.name} into {options.folder}"
    with (
        changing(group, cluster, "lingctl download", listener, wait=wait) as change,
        _noted(group, change, title),
    ):
        return download_on_nodes(group, cluster, model, source, settings, options, listener)


def stop_as_change(
    group: Group, cluster: Cluster, folder: str, listener: Listener, *, wait: float = 0.0
) -> dict[str, bool]:
    """``stop_on_nodes`` while the cluster's lock is held: nobody ends what another's deploy waits for.

    Raises:
        LockedError: somebody else is changing this cluster.
        LingctlError: a node could not be asked.
    """
    with (
        changing(group, cluster, "lingctl download --stop", listener, wait=wait) as change,
        _noted(group, change, f"end the download into {folder}"),
    ):
        return stop_on_nodes(group, cluster, folder)


@contextmanager
def _noted(group: Group, change: Change, title: str) -> Iterator[None]:
    """A line before, which stays the only one when lingctl is cut off, and one that says how it ended."""

    def note(result: Result, what: str = "") -> None:
        group.map(lambda connection: change.note(connection, title, result, what))

    note("begun")
    try:
        yield
    except LingctlError as error:
        note("failed", error.what)
        raise
    note("done")
