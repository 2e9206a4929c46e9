"""Download weights to this machine: by the hub's own client, verified, and given their modes."""

from __future__ import annotations

import sys

from lingctl.events import Listener
from lingctl.flows.weights.fetched import Fetched
from lingctl.flows.weights.options import DownloadOptions
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.worker import download
from lingctl.program.answers import read_result
from lingctl.program.translate import telling, troubles_as_errors


def download_here(options: DownloadOptions, listener: Listener) -> Fetched:
    """Fill a folder on this machine; its files, bytes and digests.

    Raises:
        UsageError: the folder or the source makes no sense.
        WeightsError: something did not come, or not as listed. What is complete is kept.
    """
    from_folder, settings = options.source.kind == "folder", options.settings
    request = Request(
        source="folder" if from_folder else settings.hub,
        repository=options.source.folder if from_folder else options.model.repository,
        revision=options.revision,
        endpoint=settings.endpoint,
        proxy=settings.proxy,
        token=settings.token,
        python=sys.executable,
        recheck=options.recheck,
    )
    with troubles_as_errors():
        result = download(request, options.folder, telling(listener))
    return read_result(Fetched, result)
