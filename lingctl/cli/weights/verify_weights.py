"""``lingctl verify-weights``: whether a folder of weights is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption


def verify_weights(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the weights.", show_default=False)],
    full: Annotated[
        bool, typer.Option("--full", help="Read every byte and compare it with the manifest's sums.")
    ] = False,
    manifest: Annotated[
        bool,
        typer.Option("--manifest", help="First sum every file (SHA-256) and keep the sums beside them."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that weights are whole: files, index, headers and offsets, tensors against config.json, modes.

    Quick without --full: no tensor is read. Exit status 3 when something is wrong.
    """
    from lingctl.findings import Verdict
    from lingctl.flows.weights.verify import verify_weights as check
    from lingctl.output.amounts import size
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer_sentence

    with progress() as listener:
        report = check(folder, listener, full=full, manifest=manifest)
    if as_json:
        print_json("verify-weights", report.as_json())
        raise typer.Exit(report.exit_status)
    print_findings(report.findings, above=Verdict.PASS)
    found, contents = report.verified, report.verified.contents
    word = "not known" if found.state == "unknown" else found.state
    read = "every byte read" if full else "headers only; --full reads every byte"
    files = "1 file" if len(contents.files) == 1 else f"{len(contents.files)} files"
    amount = f"{files}, {len(contents.tensors)} tensors, {size(contents.size)}"
    answer_sentence(f"{found.folder}: {word}. {contents.form}, {amount} ({read})")
    if found.digest:
        answer_sentence(f"digest of the weights: {found.digest}")
    raise typer.Exit(report.exit_status)
