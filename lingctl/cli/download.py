"""``lingctl download``: the right bytes, here or on every node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption


def download(
    model: Annotated[
        str, typer.Argument(help="A model of the catalogue (lingctl models), or owner/name.", metavar="MODEL")
    ],
    to: Annotated[
        str | None, typer.Option("--to", metavar="DIR", help="Folder of the weights, here or on the nodes.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="modelscope (default), huggingface, node, a folder here, or NODE:/FOLDER."),
    ] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit on the hub.")] = "",
    endpoint: Annotated[
        str, typer.Option(envvar="LINGCTL_ENDPOINT", help="Address of a mirror of the hub.")
    ] = "",
    proxy: Annotated[
        str, typer.Option(envvar="LINGCTL_PROXY", help="Proxy on the way to the hub: http://HOST:PORT.")
    ] = "",
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Read every file again, also those verified before.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Download weights, verify every byte against the hub's list, and set modes as MindIE demands.

    A second run fetches only what is missing.
    """
    import os

    from lingctl.flows.download import download_here
    from lingctl.output.documents import print_json
    from lingctl.output.progress import progress, size
    from lingctl.output.terminal import answer
    from lingctl.weights.settings import hub_settings
    from lingctl.weights.wanted import HubName, wanted_model, weights_source

    wanted = wanted_model(model)
    chosen = weights_source(source, ())
    hub: HubName = "huggingface" if chosen.kind == "huggingface" else "modelscope"
    settings = hub_settings(hub, endpoint, proxy, os.environ)
    folder = Path(to or wanted.folder)
    with progress() as listener:
        done = download_here(wanted, folder, chosen, settings, revision, listener, recheck=recheck)
    if as_json:
        print_json("download", {"model": wanted.name, "repository": wanted.repository, **done})
        return
    answer(
        f"{done['folder']}: {done['files']} files, {size(int(str(done['bytes'])))}, every one as listed; "
        f"{done['fetched_files']} fetched now"
    )
    answer(f"digest of the weights: {done['digest']}")
