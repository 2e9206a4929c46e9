"""``lingctl bundle``: one archive that installs lingctl where there is no network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption


def bundle(
    to: Annotated[
        Path, typer.Option(metavar="PATH", help="The file to write, or the folder to write it into.")
    ] = Path(),
    arch: Annotated[
        str | None, typer.Option(help="Of the machines it is for: aarch64 or x86_64 (this machine's).")
    ] = None,
    python: Annotated[str, typer.Option(help="Version of the Python there.")] = "3.11",
    as_json: JsonOption = False,
) -> None:
    """Make one archive with lingctl, all it needs, overlay and docs, for machines without a network."""
    from lingctl.flows.files.bundle.archive import make_bundle
    from lingctl.output.amounts import size
    from lingctl.output.documents import print_json
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer, say

    with progress() as listener:
        made = make_bundle(to, arch, python, listener)
    if as_json:
        print_json("bundle", made.as_json())
        return
    answer(str(made.path))
    say(f"{size(made.path.stat().st_size)}, {len(made.wheels)} wheels, SHA-256 {made.sha256}")
    if made.sums:
        say(f"The same sum is in {made.sums}: carry it, or read it out, by another way than the archive")
    say(f"There: tar xf {made.path.name} && sh {made.folder}/install.sh")
