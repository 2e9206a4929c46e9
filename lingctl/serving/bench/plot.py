"""Writing a benchmark's charts."""

from __future__ import annotations

from pathlib import Path

from lingctl.errors import UsageError
from lingctl.serving.bench.report import BenchReport


def check_plot(path: Path) -> None:
    """Find out before the benchmark whether its charts can be written.

    Raises:
        UsageError: another ending than ``.html``, or no such folder.
    """
    if path.suffix != ".html":
        raise UsageError(f"--plot {path}: the name must end in .html", code="plot-format")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: no such folder", code="plot-folder")


def write_plot(path: Path, report: BenchReport) -> None:
    """Write the page."""
    path.write_text(report.as_page(), encoding="utf-8")
