"""``lingctl engines``: what may serve the models."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import JsonOption


def engines(
    name: Annotated[str, typer.Argument(help="One engine alone: mindie or vllm.", show_default=False)] = "",
    as_json: JsonOption = False,
) -> None:
    """List the engines and their versions: what each can do with which model, and what was verified."""
    from dataclasses import asdict

    from lingctl.engines import engine_rows
    from lingctl.errors import UsageError
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table

    rows = [row for row in engine_rows() if not name or row.name == name.lower()]
    if not rows:
        raise UsageError(
            f"{name!r} is no engine", remedy="lingctl engines lists them all", code="unknown-engine"
        )
    if as_json:
        print_json("engines", {"engines": [asdict(row) for row in rows]})
        return
    print_table(
        ("engine", "version", "driver from", "lite models", "plus models", "norm_head", "verified"),
        [
            (
                row.title,
                f"{row.version} (usual)" if row.usual else row.version,
                row.driver or "unknown",
                row.lite,
                row.plus,
                row.norm_head,
                row.verified,
            )
            for row in rows
        ],
        texts=("lite models", "plus models", "norm_head", "verified"),
        spare=("norm_head", "driver from", "verified"),
    )
