"""``lingctl convert``: a PyTorch checkpoint to safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from lingctl.flows.weights.convert import ConvertOptions, convert_weights, fold_weights
    from lingctl.output.progress import progress

    _say_if_unneeded()
    options = ConvertOptions(
        max_shard_size=max_shard_size,
        layers_per_shard=layers_per_shard,
        verify=not no_verify,
        force=force,
    )
    with progress() as listener:
        if fold_norm_head:
            summary = fold_weights(source, target, force=force, listener=listener)
        else:
            summary = convert_weights(source, target, options, listener)
    (_show_folded if fold_norm_head else _show)(summary, as_json)


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


def _show(summary: dict[str, object], as_json: bool) -> None:
    from lingctl.output.amounts import size
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer_sentence, say

    if as_json:
        print_json("convert", summary)
        return
    total, folder = size(int(str(summary["bytes"]))), summary["folder"]
    files = "1 file" if summary["shards"] == 1 else f"{summary['shards']} files"
    amount = f"{summary['tensors']} tensors, {total}, {files}"
    if summary["state"] == "not-needed":
        answer_sentence(f"{folder}: {summary['reason']} ({amount}); nothing to convert.")
    elif summary["state"] == "unchanged":
        answer_sentence(f"{folder}: converted before and unchanged ({amount}).")
    else:
        proof = "every tensor compared with the source" if summary["verified"] else "not read back"
        answer_sentence(f"{folder}: {amount} in {summary['seconds']} s; {proof}.")
    for note in summary["notes"] if isinstance(summary["notes"], list) else []:
        say(f"note: {note}", "yellow")


def _show_folded(summary: dict[str, object], as_json: bool) -> None:
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer_sentence, say

    if as_json:
        print_json("convert", summary)
        return
    folder = summary["folder"]
    if summary["state"] == "not-needed":
        answer_sentence(f"{folder}: {summary['reason']}; nothing to fold.")
    elif summary["state"] == "unchanged":
        answer_sentence(f"{folder}: folded before and unchanged.")
    else:
        columns = f"{summary['columns']} columns of {summary['rows']} values ({summary['dtype']})"
        lengths = f"{float(str(summary['shortest'])):.4g} to {float(str(summary['longest'])):.4g}"
        answer_sentence(
            f"{folder}: {columns} in {summary['file']}, {lengths} long before and 1 now; read back and "
            f"compared, in {summary['seconds']} s; config.json says norm_head: false."
        )
    for note in summary["notes"] if isinstance(summary["notes"], list) else []:
        say(f"note: {note}", "yellow")
