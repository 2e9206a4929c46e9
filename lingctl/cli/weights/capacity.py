"""``lingctl capacity``: does it fit?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import EngineOption, JsonOption, NodesOption, optional_cluster

if TYPE_CHECKING:
    from lingctl.flows.files.capacity import CapacityAnswer


def capacity(
    model: Annotated[
        str,
        typer.Argument(help="A model of the catalogue; default: hosts.yaml's.", show_default=False),
    ] = "",
    devices: Annotated[int | None, typer.Option(min=1, help="Cards in all.")] = None,
    hbm: Annotated[float, typer.Option(help="Memory of each card in GiB.")] = 64,
    fraction: Annotated[
        float | None, typer.Option(help="Share of the memory that the engine may use.")
    ] = None,
    max_seq_len: Annotated[int | None, typer.Option(min=1, help="Longest sequence, in tokens.")] = None,
    max_input: Annotated[int | None, typer.Option(min=1, help="Longest input, in tokens.")] = None,
    max_output: Annotated[int | None, typer.Option(min=1, help="Most tokens of one answer.")] = None,
    reserve: Annotated[float, typer.Option(help="GiB of each card kept for workspace and runtime.")] = 3.0,
    model_config: Annotated[
        Path | None, typer.Option(help="The downloaded config.json, to be believed first.")
    ] = None,
    engine: EngineOption = "",
    nodes: NodesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate weights, KV cache and overhead of each card, without asking any node.

    An estimate, not a measurement: what is left over is checked again by the engine when it starts.
    Exit status 3 when it does not fit.
    """
    from lingctl.errors import UsageError
    from lingctl.findings import Verdict
    from lingctl.flows.files.capacity import Wishes, answer_capacity
    from lingctl.flows.files.json_files import read_document
    from lingctl.inventory.models.catalogue import find_model
    from lingctl.inventory.typed_engine import engine_typed
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings
    from lingctl.output.screen.terminal import answer_sentence
    from lingctl.output.tables import print_table

    # A model that is named is a question of its own: a hosts.yaml that lies about is not meant.
    cluster = optional_cluster(nodes) if nodes is not None or not model else None
    if not model and cluster is None:
        raise UsageError("no model is named", remedy="lingctl capacity Ling-plus --devices 16 --hbm 64")
    asked = cluster.catalogue_model if cluster and not model else find_model(model)
    wishes = Wishes(
        devices=devices,
        hbm_gib=hbm,
        fraction=fraction,
        sequence=max_seq_len,
        longest_input=max_input,
        longest_output=max_output,
        overhead_gib=reserve,
    )
    config = read_document(model_config) if model_config else None
    chosen = engine_typed(engine, cluster) if engine else None
    found = answer_capacity(asked, wishes, cluster, config, chosen)
    if as_json:
        print_json(
            "capacity",
            {
                "model": asked.name,
                "engine": found.engine,
                "estimate": found.found.as_json(),
                "finding": found.finding.as_json(),
            },
        )
    else:
        print_table(("what", "value"), _rows(found))
        if found.found.fits:
            answer_sentence(f"{asked.name}: {found.finding.message}")
        print_findings([found.finding])
    if found.finding.verdict is not Verdict.PASS:
        raise typer.Exit(3)


def _rows(given: CapacityAnswer) -> list[tuple[str, str]]:
    found, load = given.found, given.load
    return [
        ("model", given.model.name),
        ("engine", given.engine),
        ("cards", f"{found.ranks} of {found.hbm_gib:g} GiB"),
        ("usable", f"{found.usable_gib:.1f} GiB a card (npu_memory_fraction {load.fraction:g})"),
        ("weights", f"{found.weights_gib:.1f} GiB a card"),
        ("overhead", f"{found.overhead_gib:.1f} GiB a card (estimate)"),
        ("KV cache", f"{found.cache_gib:.1f} GiB a card; {found.token_bytes} bytes a token"),
        ("token budget", f"{found.token_budget} tokens for all requests together ({found.blocks} blocks)"),
        ("longest context", f"{found.longest_context} tokens (native window {found.window})"),
        ("one request", f"up to {load.tokens} tokens, {found.needed_blocks} blocks"),
        ("at the same time", f"{found.requests} such requests"),
    ]
