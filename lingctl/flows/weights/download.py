"""Download weights to this machine: by the hub's own client, verified, and given their modes."""

from __future__ import annotations

import sys
from pathlib import Path

from lingctl.events import Listener
from lingctl.flows.weights.fetched import Fetched
from lingctl.flows.weights.settings import HubSettings
from lingctl.flows.weights.wanted import WantedModel, WeightsSource
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.worker import download
from lingctl.program.answers import read_result
from lingctl.program.translate import telling, troubles_as_errors


def download_here(
    model: WantedModel,
    folder: Path,
    source: WeightsSource,
    settings: HubSettings,
    revision: str,
    listener: Listener,
    *,
    recheck: bool = False,
) -> Fetched:
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
    with troubles_as_errors():
        result = download(request, str(folder), telling(listener))
    return read_result(Fetched, result)
