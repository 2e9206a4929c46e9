"""A download as actions of a deploy's plan. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath

from lingctl.node.fetch.place import HIDDEN
from lingctl.node.fetch.request import NAME, Request
from lingctl.plan import Run, WriteFile
from lingctl.remote.command import Command
from lingctl.weights.client import client_archive
from lingctl.weights.settings import HubSettings

_WEEK = 7 * 86_400.0


def download_actions(
    program: Callable[..., Command],
    folder: str,
    repository: str,
    settings: HubSettings,
    *,
    state_dir: str,
    revision: str = "",
) -> tuple[WriteFile | Run, ...]:
    """Fill ``folder`` on a node from a hub: verified, with modes and manifest, going on where it stopped.

    The last action starts it in the background and follows it: when the connection ends it goes on, and the
    same actions follow it again. The node needs Python 3.10 and nothing else for ModelScope.

    Args:
        program: the node program with arguments, run by the node's own Python (not in a container).
        folder: of the weights on the node.
        repository: ``owner/name``.
        settings: of the hub.
        state_dir: lingctl's folder on the node, for the hub's client.
        revision: branch, tag or commit; empty for the hub's default.
    """
    library = str(PurePosixPath(state_dir) / "hub-client.zip") if settings.hub == "modelscope" else ""
    request = Request(
        source=settings.hub,
        repository=repository,
        revision=revision,
        endpoint=settings.endpoint,
        proxy=settings.proxy,
        token=settings.token,
        library=library,
    )
    content = json.dumps(request.as_json()).encode()
    client = (WriteFile(library, client_archive(), 0o640),) if library else ()
    return (
        *client,
        # It may hold a token: for its owner alone, and the program takes the token out when it reads it.
        WriteFile(str(PurePosixPath(folder) / HIDDEN / NAME), content, 0o600),
        Run(program("fetch", "get", folder).titled("download"), _WEEK),
    )
