"""``lingctl download``: the right bytes, here or on every node."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import JsonOption, LockWaitOption, NodesOption, optional_cluster

if TYPE_CHECKING:
    from lingctl.flows.weights.options import DownloadOptions
    from lingctl.inventory.cluster import Cluster
    from lingctl.node.fetch.answers import Fetched

# What a program is told, and a person.
_Told = tuple[dict[str, object], list[str]]


def download(
    model: Annotated[
        str, typer.Argument(help="A model of the catalogue (lingctl models), or owner/name.", metavar="MODEL")
    ],
    to: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of the weights, here or on the nodes.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="modelscope (default), huggingface, node, a folder here, or NODE:/FOLDER."),
    ] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit on the hub.")] = "",
    endpoint: Annotated[
        str, typer.Option(help="Address of a mirror of the hub; default: LINGCTL_ENDPOINT.")
    ] = "",
    proxy: Annotated[
        str,
        typer.Option(
            help="Proxy on the way to the hub: http://HOST:PORT. One with a login: LINGCTL_PROXY, never here."
        ),
    ] = "",
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Read every file again, also those verified before.")
    ] = False,
    port: Annotated[
        int,
        typer.Option("--spread-port", min=0, max=65535, help="Port on which nodes give files on; 0 for any."),
    ] = 0,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the downloads that run in the background on the nodes.")
    ] = False,
    here: Annotated[
        bool, typer.Option("--here", help="Onto this machine, though there is a hosts.yaml.")
    ] = False,
    nodes: NodesOption = None,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Download weights, verify every byte against the hub's list, and set modes as MindIE demands.

    Onto every node of hosts.yaml, as every other command; onto this machine with --here, or where there is
    no hosts.yaml. A second run fetches only what is missing. On nodes the work goes on in the background when
    the connection ends; without --source it is fetched once and spread from node to node.
    """
    import os

    from lingctl.errors import UsageError
    from lingctl.flows.weights.options import DownloadOptions
    from lingctl.flows.weights.settings import hub_settings
    from lingctl.flows.weights.wanted import HubName, folder_on_nodes, wanted_model, weights_source
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer_sentence

    found = optional_cluster(nodes)
    cluster = None if here else found
    if stop and cluster is None:
        remedy = "leave --here out" if here else "add --nodes hosts.yaml"
        raise UsageError("--stop is for the downloads of nodes", remedy=remedy)
    wanted = wanted_model(model)
    chosen = weights_source(source, cluster.node_names if cluster else ())
    hub: HubName = "huggingface" if chosen.kind == "huggingface" else "modelscope"
    options = DownloadOptions(
        model=wanted,
        source=chosen,
        settings=hub_settings(
            hub, os.environ, endpoint=endpoint, proxy=proxy, authorities=found.hub.ca if found else ()
        ),
        folder=folder_on_nodes(cluster, wanted, to) if cluster else to or wanted.folder,
        revision=revision,
        recheck=recheck,
        port=port,
    )
    if cluster is None:
        told, sentences = _here(options)
    elif stop:
        told, sentences = _stop(cluster, options, lock_wait)
    else:
        told, sentences = _on_nodes(cluster, options, lock_wait)
    if as_json:
        print_json("download", {"model": wanted.name, **told})
        return
    for sentence in sentences:
        answer_sentence(sentence)


def _here(options: DownloadOptions) -> _Told:
    from lingctl.flows.weights.download import download_here
    from lingctl.output.progress import progress

    with progress() as listener:
        done = download_here(options, listener)
    sentences = [f"{done.folder}: {_in_words(done)}", f"digest of the weights: {done.digest}"]
    return {"repository": options.model.repository, **asdict(done)}, sentences


def _stop(cluster: Cluster, options: DownloadOptions, lock_wait: float) -> _Told:
    from lingctl.flows.weights.download import stop_downloads
    from lingctl.output.person import Terminal

    stopped = stop_downloads(cluster, options.folder, Terminal(), lock_wait=lock_wait)
    words = {True: "stopped; what has arrived is kept", False: "nothing was running"}
    sentences = [f"{name}: {words[was_running]}" for name, was_running in stopped.items()]
    return {"folder": options.folder, "stopped": stopped}, sentences


def _on_nodes(cluster: Cluster, options: DownloadOptions, lock_wait: float) -> _Told:
    from lingctl.flows.weights.download import download_everywhere
    from lingctl.output.person import Terminal
    from lingctl.output.screen.terminal import say

    say(f"onto {', '.join(cluster.node_names)}: {options.folder} (--here for this machine)")
    done = download_everywhere(cluster, options, Terminal(), lock_wait=lock_wait)
    digest = next(iter(done.values())).digest
    sentences = [f"{name}: {_in_words(result)}" for name, result in done.items()]
    sentences.append(f"digest of the weights, the same on every node: {digest}")
    head = {"repository": options.model.repository, "folder": options.folder, "digest": digest}
    return {**head, "nodes": {name: asdict(result) for name, result in done.items()}}, sentences


def _in_words(done: Fetched) -> str:
    from lingctl.output.amounts import size

    also = f"; rewritten by a deploy and left: {', '.join(done.kept)}" if done.kept else ""
    return (
        f"{done.files} files, {size(done.bytes)}, every one as listed; {done.fetched_files} fetched now{also}"
    )
