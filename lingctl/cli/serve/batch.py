"""``lingctl batch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import JsonOption, NodesOption
from lingctl.cli.serve.target import (
    CaOption,
    CertOption,
    KeyOption,
    ModelOption,
    UrlOption,
    asked_service,
    chosen_cluster,
)

if TYPE_CHECKING:
    from lingctl.serving.batch.report import BatchReport


def batch(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Requests in OpenAI's batch format.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUTPUT", help="File for the answers.")],
    errors: Annotated[
        Path | None,
        typer.Option(help="File for what was not answered; default: OUTPUT with .errors before its ending."),
    ] = None,
    nodes: NodesOption = None,
    url: UrlOption = "",
    model: ModelOption = "",
    any_model: Annotated[
        bool, typer.Option("--any-model", help="Ask the served model, whatever the lines name.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="vLLM answers in its container, without a service (one node).")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Requests open at a time.")] = 16,
    retries: Annotated[int, typer.Option(min=0, max=1000, help="Times that a request is asked again.")] = 6,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one request may take.")] = 600.0,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask all requests of a file, and write their answers in its order. The same command again goes on.

    What was answered is not asked twice, also after a kill. Exit status: 0 all answered, 3 some were not,
    1 none, or the service gave out in the middle, 2 the input is wrong (nothing was asked), 4 nothing
    answers.
    """
    from lingctl.flows.serve.batch.given import BatchOptions, judged_input
    from lingctl.flows.serve.batch.service import batch as ask_all
    from lingctl.output.progress import progress
    from lingctl.serving.batch.retries import Retries
    from lingctl.serving.endpoint import TlsFiles

    tls = TlsFiles(ca, cert, key)
    options = BatchOptions(source, output, errors, concurrency, Retries(retries), timeout, any_model, offline)
    with progress() as listener:
        given = judged_input(options, listener)
        cluster = chosen_cluster(nodes, url, model)
        with asked_service(cluster, url, model, tls, listener) as service:
            report = ask_all(service, given, options, listener)
    _show(report, as_json)
    raise typer.Exit(report.exit_status)


def _show(report: BatchReport, as_json: bool) -> None:
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer, say
    from lingctl.output.tables import print_table
    from lingctl.serving.batch.report import AMOUNT_COLUMNS, TROUBLE_COLUMNS

    if as_json:
        print_json("batch", report.as_json())
        return
    answer(f"{report.model} at {report.url}\n")
    print_table(AMOUNT_COLUMNS, report.amounts(), numbers=AMOUNT_COLUMNS[1:])
    if report.counts.troubles:
        answer("")
        print_table(TROUBLE_COLUMNS, report.trouble_rows(), numbers=TROUBLE_COLUMNS[1:2])
    for note in report.notes():
        say(f"note: {note}", "yellow" if report.failed else "")
