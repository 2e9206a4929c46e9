"""``lingctl accept``: every proof in one run, with a report to hand over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lingctl.cli.common import JsonOption, NodesOption, YesOption, required_cluster

if TYPE_CHECKING:
    from lingctl.flows.accept.protocol import AcceptOptions

app = typer.Typer(invoke_without_command=True)


@app.callback()
def accept(
    context: typer.Context,
    nodes: NodesOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", file_okay=False, help="Folder of the report; default: acceptance-<name>."
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this part alone; may be given again.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave this part out; may be given again.")] = None,
    ttft: Annotated[float, typer.Option(min=0, help="Limit of the time to the first token, p90, ms.")] = 0.0,
    tpot: Annotated[float, typer.Option(min=0, help="Limit of the time per output token, p90, ms.")] = 0.0,
    requests: Annotated[int, typer.Option(min=1, help="Requests of each load.")] = 64,
    max_concurrency: Annotated[int, typer.Option(min=1, help="Most requests open at a time.")] = 64,
    soak: Annotated[
        str, typer.Option(metavar="TIME", help="How long the soak is: 90s, 30m, 2h, or seconds; 0: none.")
    ] = "10m",
    language: Annotated[Literal["en", "zh"], typer.Option(help="Of the page.")] = "en",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Prove cards, versions, weights, state, answers, load and restart of a running service.

    The part restart stops the service for as long as the model loads, and is asked for first. A run that was
    ended goes on where it was. Exit status 3 when a part found something or could not be judged.
    """
    if context.invoked_subcommand is not None:
        return
    from lingctl.flows.accept.protocol import AcceptOptions
    from lingctl.flows.accept.run import accept as accept_cluster
    from lingctl.output.acceptance.page import acceptance_page
    from lingctl.output.acceptance.told import print_acceptance
    from lingctl.output.progress import progress
    from lingctl.remote.group import connect
    from lingctl.serving.bench.sweep import SweepLimits

    cluster = required_cluster(nodes)
    options = AcceptOptions(
        only=tuple(only or ()),
        skip=dict.fromkeys(skip or (), "it was left out by --skip"),
        limits=SweepLimits(ttft=ttft or None, tpot=tpot or None),
        requests=requests,
        most_concurrency=max_concurrency,
        soak_seconds=_seconds(soak),
    )
    options = _with_consent(options, yes=yes)
    folder = output or Path(f"acceptance-{cluster.name}")
    with progress() as listener:
        accepted = accept_cluster(
            cluster,
            options,
            folder,
            listener,
            lambda: connect(cluster, listener),
            lambda report: acceptance_page(report, language),
        )
    print_acceptance(accepted, as_json=as_json)
    raise typer.Exit(0 if accepted.verdict == "pass" else 3)


def _seconds(text: str) -> float:
    """A time as ``logs --since`` takes it, or seconds."""
    from lingctl.errors import UsageError
    from lingctl.flows.look.logs import duration_seconds

    seconds = float(text) if text.strip().isascii() and text.strip().isdigit() else duration_seconds(text)
    if seconds is None:
        raise UsageError(
            f"--soak {text!r} is not a time", remedy="write 90s, 30m, 2h, or seconds; 0 for none"
        )
    return seconds


def _with_consent(options: AcceptOptions, *, yes: bool) -> AcceptOptions:
    """Without the part that stops the service, unless somebody agrees to it."""
    from dataclasses import replace

    from lingctl.output.questions import confirm
    from lingctl.output.screen.terminal import interactive

    asked = "restart" not in options.skip and (not options.only or "restart" in options.only)
    question = "The part restart stops the service and starts it again. Include it?"
    if not asked or yes or (interactive() and confirm(question, yes=False)):
        return options
    left_out = {"restart": "nobody agreed to a stop of the service (--yes)"}
    return replace(options, skip={**options.skip, **left_out})


@app.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(help="Folder or report.json of an acceptance.")],
    second: Annotated[Path, typer.Argument(help="Of a later one.")],
    as_json: JsonOption = False,
) -> None:
    """Show two acceptances side by side: before and after an upgrade, say."""
    from lingctl.flows.accept.compare import compared, read_report
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table

    rows = compared(read_report(first), read_report(second))
    if as_json:
        print_json("acceptance-compare", {"rows": [row._asdict() for row in rows]})
        return
    print_table(("", "first", "second", ""), rows, texts=("first", "second", ""))


@app.command("lessons")
def lessons(
    given: Annotated[Path, typer.Argument(help="Folder of an acceptance, or its lessons.json.")],
    to: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Make a test sample of each text, in this folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an acceptance taught: texts that were not understood, what was unlike the emulated cluster.

    Names, addresses, serial numbers and paths are replaced by stand-ins. It is sent nowhere: whether to is
    yours to decide.
    """
    from lingctl.flows.accept.lessons import read_lessons, write_samples
    from lingctl.output.acceptance.told import print_lessons
    from lingctl.output.documents import print_json

    found = read_lessons(given)
    samples = write_samples(found, to) if to is not None else []
    if as_json:
        print_json("lessons", {**found, "samples": [str(path) for path in samples]})
        return
    print_lessons(found, samples)
