"""An acceptance on the terminal: its parts in a table, where the report is, and how to prove it unchanged."""

from __future__ import annotations

from lingctl.flows.accept.run import Accepted
from lingctl.output.documents import print_json
from lingctl.output.tables import print_table
from lingctl.output.terminal import answer, answer_sentence


def print_acceptance(accepted: Accepted, *, as_json: bool) -> None:
    """Print the end of an acceptance."""
    report = accepted.report
    if as_json:
        told = {name: value for name, value in report.items() if name not in ("document", "version")}
        print_json("acceptance", {**told, "page": str(accepted.page), "sum": accepted.sum})
        return
    print_table(
        ("part", "verdict", "what was found"),
        [(part["name"], part["verdict"], part["what"]) for part in report["parts"]],
    )
    bad = [one for part in report["parts"] for one in part["findings"] if one["verdict"] in _WORSE]
    for one in bad[:_MOST]:
        where = f"{one['node']}: " if one["node"] else ""
        answer_sentence(f"{one['verdict']}: {where}{one['message']}", hang=7)
        if one["remedy"]:
            answer_sentence(f"  fix: {one['remedy']}", hang=7)
    if len(bad) > _MOST:
        answer(f"({len(bad) - _MOST} more in the report)")
    answer(f"{report['verdict']}: the report is {accepted.page}")
    answer(f"SHA-256 of its SHA256SUMS, to be kept apart from it: {accepted.sum}")


_WORSE = ("warning", "unknown", "failure")
_MOST = 20
