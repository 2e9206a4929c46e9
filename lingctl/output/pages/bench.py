"""The page of a benchmark: its numbers, and charts of the load or of the sweep."""

from __future__ import annotations

from lingctl.output.pages.sheet import chart_grid, head, safe, table
from lingctl.serving.bench.report import (
    SWEEP_COLUMNS,
    TIME_COLUMNS,
    BenchReport,
    amounts,
    sweep_rows,
    time_rows,
)


def bench_page(report: BenchReport) -> str:
    """The whole page."""
    if report.trials:
        numbers = table(SWEEP_COLUMNS, sweep_rows(report.trials))
    else:
        times = table(("ms", *TIME_COLUMNS[1:]), time_rows(report.metrics))
        numbers = times + table(("", ""), amounts(report.metrics))
    charts = chart_grid(report.charts())
    notes = "".join(f"<p>{safe(note)}</p>" for note in report.notes())
    return f"{head(f'{report.model}: {report.load}', 'en', 'bench')}{numbers}{notes}{charts}</html>\n"
