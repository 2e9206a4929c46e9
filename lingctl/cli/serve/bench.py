"""``lingctl bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import JsonOption, NodesOption
from lingctl.cli.serve.target import (
    CaOption,
    CertOption,
    KeyOption,
    KindOption,
    ModelOption,
    UrlOption,
    asked_service,
    chosen_cluster,
)

if TYPE_CHECKING:
    from lingctl.serving.bench.report import BenchReport
    from lingctl.serving.bench.sweep import SweepLimits


app = typer.Typer(invoke_without_command=True)


@app.callback()
def bench(
    context: typer.Context,
    nodes: NodesOption = None,
    url: UrlOption = "",
    model: ModelOption = "",
    kind: KindOption = "auto",
    requests: Annotated[int, typer.Option(min=1, help="Requests to send; in a sweep, for each trial.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, help="Closed loop: requests open at a time.")] = 16,
    rate: Annotated[float, typer.Option(min=0, help="Open loop: requests per second, Poisson.")] = 0.0,
    input_len: Annotated[int, typer.Option(min=1, help="Tokens of each made-up prompt.")] = 256,
    output_len: Annotated[int, typer.Option(min=1, help="Tokens of each answer.")] = 128,
    dataset: Annotated[
        Path | None, typer.Option(help="Prompts: JSON Lines, ShareGPT JSON, or one a line.")
    ] = None,
    warmup: Annotated[int, typer.Option(min=0, help="Requests sent first and not measured.")] = 4,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one request may take.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Of made-up prompts and of arrivals.")] = 0,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Find the concurrency that keeps the limits.")
    ] = False,
    ttft_limit: Annotated[float, typer.Option(min=0, help="Sweep: limit of TTFT p90, ms.")] = 0.0,
    tpot_limit: Annotated[float, typer.Option(min=0, help="Sweep: limit of TPOT p90, ms.")] = 0.0,
    max_concurrency: Annotated[int, typer.Option(min=1, help="Sweep: highest concurrency to try.")] = 512,
    goodput: Annotated[
        list[str] | None,
        typer.Option(help="Count requests that keep a limit in ms: ttft:500, tpot:50, e2el:9000."),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Model's folder or tokenizer.json: counts tokens where the service does not."),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Append the result to this file, for: lingctl bench compare.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write charts: FILE.html.")] = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast the service answers: TTFT, TPOT, ITL, end-to-end latency, tokens per second.

    Exit status: 0 every request answered, 3 some failed or no concurrency kept the limits, 1 none answered.
    """
    from lingctl.flows.serve.bench import BenchOptions, bench_service
    from lingctl.output.documents import document
    from lingctl.output.progress import progress
    from lingctl.serving.bench.goal import read_goal
    from lingctl.serving.bench.load import Pace
    from lingctl.serving.bench.results import check_results, keep_result
    from lingctl.serving.bench.tokens import tokenizer_at
    from lingctl.serving.endpoint import TlsFiles

    if context.invoked_subcommand:
        return
    if plot:
        from lingctl.flows.run.page_file import check_page

        check_page(plot, "--plot")
    if results:
        check_results(results)
    options = BenchOptions(
        requests=requests,
        pace=Pace(rate=rate) if rate else Pace(concurrency=concurrency),
        kind=kind,
        input_tokens=input_len,
        output_tokens=output_len,
        dataset=dataset,
        warmup=warmup,
        timeout=timeout,
        seed=seed,
        limits=_limits(ttft_limit, tpot_limit) if sweep else None,
        most_concurrency=max_concurrency,
        goal=read_goal(goodput or ()),
        count=tokenizer_at(tokenizer) if tokenizer else None,
    )
    tls = TlsFiles(ca, cert, key)
    with progress() as listener:
        cluster = chosen_cluster(nodes, url, model)
        with asked_service(cluster, url, model, tls, listener) as service:
            report = bench_service(service, options, listener)
    # Before anything is written: that may fail, and the load would have been for nothing.
    _show(report, as_json)
    if plot:
        _write_plot(plot, report)
    if results:
        from lingctl.flows.run.whole_file import told_if_unwritten

        with told_if_unwritten(results, "name another file: --results FILE"):
            keep_result(results, document("bench", {"options": options.as_json(), **report.as_json()}))
    raise typer.Exit(report.exit_status)


def _write_plot(path: Path, report: BenchReport) -> None:
    from lingctl.flows.run.page_file import write_page
    from lingctl.output.pages.bench import bench_page
    from lingctl.output.screen.terminal import say

    write_page(path, "--plot", bench_page(report))
    charts = ", ".join(chart.title for chart in report.charts()) or "no chart: no request was answered"
    say(f"Wrote {path}: {charts}.")


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(metavar="FILE [FILE]", help="Of --results.")],
    as_json: JsonOption = False,
) -> None:
    """Show the last results of two files, or the last two of one, side by side; and how the loads differ."""
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import say
    from lingctl.output.tables import print_table
    from lingctl.serving.bench.results import COMPARE_COLUMNS, BenchComparison, last_two

    comparison = BenchComparison(*last_two(files))
    if as_json:
        print_json("bench-compare", comparison.as_json())
        return
    print_table(COMPARE_COLUMNS, comparison.rows(), numbers=COMPARE_COLUMNS[1:])
    for difference in comparison.differences:
        say(f"not the same load: {difference}", "yellow")


def _limits(ttft: float, tpot: float) -> SweepLimits:
    from lingctl.errors import UsageError
    from lingctl.serving.bench.sweep import SweepLimits

    if not ttft and not tpot:
        remedy = "for example: --sweep --ttft-limit 2000 --tpot-limit 50"
        raise UsageError("--sweep needs a limit to look for", remedy=remedy, code="sweep-limits")
    return SweepLimits(ttft or None, tpot or None)


def _show(report: BenchReport, as_json: bool) -> None:
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer, say
    from lingctl.output.tables import print_table
    from lingctl.serving.bench.report import SWEEP_COLUMNS, TIME_COLUMNS, amounts, sweep_rows, time_rows

    if as_json:
        print_json("bench", report.as_json())
        return
    answer(f"{report.model} at {report.url}: {report.load}\n")
    if report.trials:
        print_table(SWEEP_COLUMNS, sweep_rows(report.trials), numbers=SWEEP_COLUMNS[:-1])
        answer(f"\n{report.conclusion}")
    else:
        print_table(("ms", *TIME_COLUMNS[1:]), time_rows(report.metrics), numbers=TIME_COLUMNS[1:])
        answer("")
        print_table(("", " "), amounts(report.metrics))
    for note in report.notes():
        say(f"note: {note}", "yellow")
