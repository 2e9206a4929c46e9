"""``lingctl convert``: a PyTorch checkpoint to safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lingctl.cli.common import JsonOption


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="Folder of the checkpoint, or its file.", show_default=False)
    ],
    target: Annotated[
        Path | None,
        typer.Argument(metavar="[DST]", help="Folder of the output; SRC_safetensor if not given."),
    ] = None,
    max_shard_size: Annotated[
        str, typer.Option(help="Most bytes of a file of the output, such as 5GB or 500MiB.")
    ] = "5GB",
    layers_per_shard: Annotated[
        int | None, typer.Option(min=1, help="Cut by layers instead of by size.", show_default=False)
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not read the output back and compare it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite another output in DST.")] = False,
    fold_norm_head: Annotated[
        bool,
        typer.Option(
            "--fold-norm-head",
            help="Instead: write norm_head into lm_head, for engines that ignore it (vLLM below 0.26).",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Convert pytorch_model.bin files to safetensors, in constant memory and without executing them.

    With --fold-norm-head: safetensors in, and a folder out (SRC_folded) whose head is normalised in the file
    and whose config.json says norm_head: false; other weights are links. The original stays as it is.

    An interrupted run goes on where it stopped; a finished one is noticed.
    """
    from lingctl.flows.weights.convert import convert_weights, fold_weights
    from lingctl.output.documents import print_json
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer_sentence, say

    _say_if_unneeded()
    with progress() as listener:
        if fold_norm_head:
            summary = fold_weights(source, target, force=force, listener=listener)
        else:
            summary = convert_weights(
                source,
                target,
                listener,
                max_shard_size=max_shard_size,
                layers_per_shard=layers_per_shard,
                verify=not no_verify,
                force=force,
            )
    if as_json:
        print_json("convert", summary)
        return
    answer_sentence(f"{summary['folder']}: {(_folded if fold_norm_head else _converted)(summary)}")
    for note in summary["notes"]:
        say(f"note: {note}", "yellow")


def _say_if_unneeded() -> None:
    """The engine of a hosts.yaml that lies here may read what is to be converted."""
    from lingctl.cli.common import optional_cluster
    from lingctl.engines import engine_of
    from lingctl.errors import LingctlError
    from lingctl.output.screen.terminal import say

    try:
        cluster = optional_cluster(None)
        about = engine_of(cluster).about if cluster else None
    except LingctlError:
        return  # what is wrong with it is no matter of this command's
    if about is not None and "bin" in about.reads:
        say(f"note: hosts.yaml names {about.title}, which reads .bin files as they are", "yellow")


def _converted(summary: Mapping[str, Any]) -> str:
    from lingctl.output.amounts import size

    files = "1 file" if summary["shards"] == 1 else f"{summary['shards']} files"
    amount = f"{summary['tensors']} tensors, {size(summary['bytes'])}, {files}"
    if summary["state"] == "not-needed":
        return f"{summary['reason']} ({amount}); nothing to convert."
    if summary["state"] == "unchanged":
        return f"converted before and unchanged ({amount})."
    proof = "every tensor compared with the source" if summary["verified"] else "not read back"
    return f"{amount} in {summary['seconds']} s; {proof}."


def _folded(summary: Mapping[str, Any]) -> str:
    if summary["state"] == "not-needed":
        return f"{summary['reason']}; nothing to fold."
    if summary["state"] == "unchanged":
        return "folded before and unchanged."
    columns = f"{summary['columns']} columns of {summary['rows']} values ({summary['dtype']})"
    lengths = f"{summary['shortest']:.4g} to {summary['longest']:.4g}"
    return (
        f"{columns} in {summary['file']}, {lengths} long before and 1 now; read back and compared, "
        f"in {summary['seconds']} s; config.json says norm_head: false."
    )
