"""``lingctl export``: the service in the words of another system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import NodesOption, required_cluster

app = typer.Typer(help="Write the service for another system.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `kubernetes` a command of its own, for more will follow it."""


@app.command()
def kubernetes(
    nodes: NodesOption = None,
    facts: Annotated[
        Path | None,
        typer.Option("--from", help="Facts saved by `check-network --save`: the cards' addresses."),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="Folder of the weights on the nodes, if converted ones differ.")
    ] = "",
    model_config: Annotated[Path | None, typer.Option(help="The model's downloaded config.json.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the objects.")] = "default",
) -> None:
    """Print ConfigMaps, StatefulSets and a Service for `kubectl apply -f -`; no node is asked.

    Names of nodes in hosts.yaml must be those of the Kubernetes nodes. Several nodes of MindIE need --from.
    """
    import yaml

    from lingctl.engines import engine_of
    from lingctl.errors import UsageError
    from lingctl.flows.files.inputs import known_offline
    from lingctl.flows.files.json_files import read_document
    from lingctl.flows.files.kubernetes import manifests
    from lingctl.output.screen.terminal import answer_file, say

    cluster = required_cluster(nodes)
    engine = engine_of(cluster)
    if cluster.multi_node and facts is None and engine.about.joins_by_addresses:
        raise UsageError(
            "the rank table of several nodes needs the cards' addresses",
            remedy="lingctl check-network --save DIR, then lingctl export kubernetes --from DIR",
        )
    config = read_document(model_config) if model_config else None
    known = known_offline(cluster, config, weights, facts)
    loadable, reasons = engine.model_config(config) if config else (None, [])
    for note in (*engine.remarks(cluster), *known.notes, *reasons):
        say(note)
    objects = manifests(cluster, known.addresses, known.weights, namespace, loadable)
    answer_file(yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True))
