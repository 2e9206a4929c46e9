"""What a proof found, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lingctl.findings import Verdict
from lingctl.output.amounts import size
from lingctl.output.findings import print_findings, summary
from lingctl.output.screen.terminal import answer
from lingctl.output.tables import print_table

if TYPE_CHECKING:
    from lingctl.flows.serve.prove import ProofReport

_VERDICTS = {0: "proved", 1: "WRONG", 3: "not proved"}


def print_proof(report: ProofReport) -> None:
    """Every verdict in a table, what is to be mended behind it, and the verdict of all in the last line."""
    rows = [(one.check, one.where, one.verdict.word, one.message) for one in report.findings]
    print_table(("what", "where", "verdict", "found"), rows, texts=("where", "found"))
    wrong = [one for one in report.findings if one.verdict > Verdict.NOTE]
    if wrong:
        answer("")
        print_findings(wrong)
    answer("")
    for node, cost in report.costs.items():
        answer(_cost(node, cost))
    asked = len(report.asked)
    answer(
        f"{report.model} at {report.url}: {_VERDICTS[report.exit_status]}, by {asked} answers "
        f"({summary(report.findings)})"
    )


def _cost(node: str, cost: Any) -> str:  # noqa: ANN401  (plain data, as it goes into JSON)
    return (
        f"{node}: {size(cost['read_bytes'])} read once, {cost['seconds']:.0f} s, "
        f"{cost['processor_seconds']:.0f} processor seconds, at most {size(cost['peak_bytes'])} of memory, "
        f"{cost['arrays']}, {cost['config']}"
    )
