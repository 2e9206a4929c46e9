"""Writing a benchmark's charts: HTML always, PNG where matplotlib is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from lingctl.errors import UsageError
from lingctl.serving.bench.report import BenchReport


def check_plot(path: Path) -> None:
    """Find out before the benchmark whether its charts can be written.

    Raises:
        UsageError: another ending, no matplotlib for a PNG, or no such folder.
    """
    if path.suffix not in (".html", ".png"):
        raise UsageError(f"--plot {path}: the name must end in .html or .png", code="plot-format")
    if path.suffix == ".png" and importlib.util.find_spec("matplotlib") is None:
        remedy = (
            f"pip install matplotlib, or write a page that needs nothing: --plot {path.with_suffix('.html')}"
        )
        raise UsageError(
            "a PNG needs matplotlib, which is not installed", remedy=remedy, code="plot-matplotlib"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: no such folder", code="plot-folder")


def write_plot(path: Path, report: BenchReport) -> None:
    """Write the charts in the form that the file's name asks for."""
    if path.suffix == ".html":
        path.write_text(report.as_page(), encoding="utf-8")
    else:
        _write_png(path, report)


def _write_png(path: Path, report: BenchReport) -> None:
    import matplotlib as drawing  # type: ignore[import-not-found,unused-ignore]

    drawing.use("Agg")
    from matplotlib import pyplot  # type: ignore[import-not-found,unused-ignore]

    charts = report.charts()
    figure, axes = pyplot.subplots(len(charts) or 1, 1, figsize=(8, 4 * (len(charts) or 1)), squeeze=False)
    for axis, chart in zip(axes[:, 0], charts, strict=False):
        _draw(axis, chart)
    figure.suptitle(f"{report.model}: {report.load}")
    figure.tight_layout()
    figure.savefig(path)


def _draw(axis: Any, chart: Any) -> None:  # noqa: ANN401  (matplotlib is not a dependency)
    for line in chart.lines:
        axis.plot([x for x, _ in line.points], [y for _, y in line.points], label=line.name)
    axis.set(title=chart.title, xlabel=chart.across, ylabel=chart.up)
    axis.set_ylim(bottom=0)
    axis.legend()
