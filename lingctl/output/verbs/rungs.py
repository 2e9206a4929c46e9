"""The rungs of a smoke test as a table."""

from __future__ import annotations

from lingctl.output.screen.terminal import answer_sentence, answers
from lingctl.output.tables import print_table
from lingctl.serving.smoke.report import SmokeReport


def print_rungs(report: SmokeReport) -> None:
    """Print each rung's verdict; on a terminal those that were not reached are a sentence, else a row."""
    apart = report.unreached if answers().is_terminal else ()
    rows = [(f.check, f.where, f.verdict.word, f.message) for f in report.told if f not in apart]
    print_table(("rung", "where", "verdict", "what"), rows, texts=("where", "what"))
    for finding in apart:
        answer_sentence(f"\n{finding.verdict.word}: {finding.check} ({finding.message})")
