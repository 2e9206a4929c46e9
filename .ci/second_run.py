"""A plugin of pytest: a second run of what failed says at its end how each went, so that a flake is seen."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each test, above pytest's own last line."""
    reports = [
        (kind, report.nodeid)
        for kind, several in terminalreporter.stats.items()
        for report in several
        if isinstance(report, pytest.TestReport | pytest.CollectReport)
    ]
    again = {name for kind, name in reports if kind in ("failed", "error")}
    now = {name: kind for kind, name in reports if name not in again and kind}
    terminalreporter.section("run a second time, because it had failed")
    for name in sorted(again):
        terminalreporter.write_line(f"failed again: {name}")
    for name, kind in sorted(now.items()):
        terminalreporter.write_line(f"{'flaky, passed' if kind == 'passed' else kind} now: {name}")
    if not reports:
        terminalreporter.write_line("nothing: what failed is not there any more")
