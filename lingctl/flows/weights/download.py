"""download: weights onto this machine or every node, verified, and given their modes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lingctl.events import Listener
from lingctl.flows.run.change import noted_change
from lingctl.flows.run.person import Person
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.spread.spread import download_on_nodes, stop_on_nodes
from lingctl.inventory.cluster import Cluster
from lingctl.node.fetch.answers import Fetched
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.worker import download
from lingctl.program.translate import telling, troubles_as_errors
from lingctl.remote.group import Group, connect


def download_here(options: DownloadOptions, listener: Listener) -> Fetched:
    """Fill a folder on this machine; its files, bytes and digests.

    Raises:
        UsageError: the folder or the source makes no sense.
        WeightsError: something did not come, or not as listed. What is complete is kept.
    """
    if options.source.kind == "folder":
        request = Request(source="folder", repository=options.source.folder, recheck=options.recheck)
    else:
        request = options.hub_request(python=sys.executable)
    with troubles_as_errors():
        return download(request, options.folder, telling(listener))


def download_everywhere(
    cluster: Cluster, options: DownloadOptions, person: Person, *, lock_wait: float = 0.0
) -> dict[str, Fetched]:
    """``download_on_nodes`` as a change of its own: under the cluster's lock, and written down.

    Raises:
        LingctlError: a node could not be reached, lacks space, or did not get what it should.
    """
    title = f"download {options.model.name} into {options.folder}"
    with _noted(cluster, person, "lingctl download", title, lock_wait) as (group, listener):
        return download_on_nodes(group, cluster, options, listener)


def stop_downloads(
    cluster: Cluster, folder: str, person: Person, *, lock_wait: float = 0.0
) -> dict[str, bool]:
    """``stop_on_nodes`` as a change of its own: nobody ends what another's deploy waits for."""
    title = f"end the download into {folder}"
    with _noted(cluster, person, "lingctl download --stop", title, lock_wait) as (group, _):
        return stop_on_nodes(group, cluster, folder)


@contextmanager
def _noted(
    cluster: Cluster, person: Person, command: str, title: str, lock_wait: float
) -> Iterator[tuple[Group, Listener]]:
    with (
        person.progress() as listener,
        connect(cluster, listener) as group,
        noted_change(group, cluster, command, title, listener, wait=lock_wait),
    ):
        yield group, listener
