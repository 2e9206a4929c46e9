"""An acceptance on the terminal: its parts in a table, where the report is, and how to prove it unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lingctl.findings import ranges
from lingctl.flows.accept.run import Accepted
from lingctl.output.documents import print_json
from lingctl.output.screen.terminal import answer, answer_sentence
from lingctl.output.tables import print_table


def print_acceptance(accepted: Accepted, *, as_json: bool) -> None:
    """Print the end of an acceptance."""
    report = accepted.report
    if as_json:
        told = {name: value for name, value in report.items() if name not in ("document", "version")}
        print_json(
            "acceptance",
            {**told, "page": str(accepted.page), "lessons": str(accepted.lessons), "sum": accepted.sum},
        )
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
    if numbers := ranges([one["number"] for one in report["questions"]]):
        answer(f"answers open questions of docs/hardware.md: {numbers}")
    answer(f"what it taught, without names, for you to look at and to send or not: {accepted.lessons}")
    answer(f"SHA-256 of its SHA256SUMS, to be kept apart from it: {accepted.sum}")


def print_lessons(lessons: Mapping[str, Any], samples: Sequence[Path]) -> None:
    """Print all of what an acceptance taught."""
    answer(f"{lessons['engine']}, {lessons['model']}: {lessons['nodes']} nodes, {lessons['ranks']} cards")
    for one in lessons["answers"]:
        answer(f"question {one['number']}: {one['verdict']}: {one['what']}")
    for text in lessons["texts"]:
        status = "" if text["status"] is None else f", exit status {text['status']}"
        answer(f"{text['kind']} {text['what']}{status}:")
        for line in str(text["said"]).splitlines():
            answer(f"  | {line}")
    for sentence in lessons["differs_from_emulated"]:
        answer(f"unlike the emulated cluster: {sentence}")
    if not (lessons["texts"] or lessons["differs_from_emulated"]):
        answer("everything was understood, and as in the emulated cluster")
    for path in samples:
        answer(f"sample: {path}")


_WORSE = ("warning", "unknown", "failure")
_MOST = 20
