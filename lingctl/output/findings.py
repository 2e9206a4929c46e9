"""Findings for people: worst first, each with its evidence and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from lingctl.findings import Finding, Verdict, folded, worst_first
from lingctl.output.screen.terminal import STYLES, answers, show, words

_MOST_EVIDENCE = 20_000
_MOST_OF_A_LINE = 500


def print_findings(
    findings: Sequence[Finding], *, above: Verdict = Verdict.PASS, console: Console | None = None
) -> None:
    """Print every finding whose verdict is worse than ``above``; what is said of many cards, once."""
    out = console or answers()
    for finding in worst_first(folded(finding for finding in findings if finding.verdict > above)):
        _print_one(finding, out)


def summary(findings: Sequence[Finding]) -> str:
    """One line that counts the verdicts, worst first, e.g. ``1 failure, 2 notes, 40 passed``."""
    counts = Counter(finding.verdict for finding in findings)
    return (
        ", ".join(_count(verdict, counts[verdict]) for verdict in sorted(counts, reverse=True))
        or "nothing checked"
    )


def _count(verdict: Verdict, number: int) -> str:
    plural = {
        Verdict.PASS: "passed",
        Verdict.NOTE: "notes" if number > 1 else "note",
        Verdict.WARNING: "warnings" if number > 1 else "warning",
        Verdict.UNKNOWN: "unknown",
        Verdict.FAILURE: "failures" if number > 1 else "failure",
    }
    return f"{number} {plural[verdict]}"


def _print_one(finding: Finding, out: Console) -> None:
    word = finding.verdict.word
    where = f" [{finding.where}]" if finding.where else ""
    head = (words(f"{word:8}", STYLES[word]), words(f" {finding.check}"), words(where, "bold"))
    show(*head, words(f": {finding.message}"), out=out, hang=9)
    for line in finding.evidence.strip()[:_MOST_EVIDENCE].splitlines()[:6]:
        show(words(f"           | {line}", "dim", _MOST_OF_A_LINE), out=out, hang=13)
    if finding.remedy:
        show(words(f"           fix: {finding.remedy}"), out=out, hang=16)
