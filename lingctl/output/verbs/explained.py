"""How ``lingctl explain`` shows its answer: for a person, and as a document for a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from lingctl.engine.logs import CodeMeaning, FailureKind
from lingctl.flows.look.explain.answers import Explained, LogVerdict
from lingctl.output.screen.terminal import answer, answer_sentence

# What a kind says of a failed start.
WEIGHTS: Mapping[FailureKind, str] = {
    "cause": "a cause",
    "network": "a cause only where no node has a better one: ranks that lost their peer report it too",
    "consequence": "no cause by itself: it says that something failed, and not what",
    "stopped": "no failure: it was asked to end",
    "request": "a client's affair, never the cause of an end",
    "waiting": "it means something only when a start takes too long",
    "harmless": "harmless",
}
_UNKNOWN = "not known"


def print_explained(explained: Explained) -> None:
    """Print the answer for a person."""
    for number, code in enumerate(explained.codes):
        if number:
            answer("")
        _print_code(code)
    if explained.verdict is not None:
        if explained.codes:
            answer("")
        _print_verdict(explained.verdict, several=len(explained.logs) > 1)


def explained_document(explained: Explained) -> dict[str, object]:
    """The document: docs/reference/explain.schema.json."""
    return {
        "codes": [
            {**asdict(code), "rows": list(code.rows), "known": bool(code.meaning)} for code in explained.codes
        ],
        "logs": [
            {
                "name": log.name,
                "encoding": log.encoding,
                "bytes": log.bytes,
                "exit_status": log.status,
                "runs": log.runs,
            }
            for log in explained.logs
        ],
        "verdict": asdict(explained.verdict) if explained.verdict is not None else None,
    }


def _print_code(code: CodeMeaning) -> None:
    answer(f"{code.code}  {code.family}")
    row = f", {' and '.join(code.rows)} of the catalogue" if code.rows else ""
    seen = f" (checked: {code.seen})" if code.seen and code.seen != "documents" else ""
    told = {
        "says": code.meaning or f"{_UNKNOWN}; only the family of the code is",
        "weight": f"{WEIGHTS[code.kind]}{row}" if code.kind else "",
        "fix": code.remedy,
        "source": f"{code.source}{seen}" if code.source else "",
        "page": f"docs/{code.page}" if code.page else "",
    }
    for name, text in told.items():
        if text:
            answer_sentence(f"  {name:8}{text}", hang=10)


def _print_verdict(verdict: LogVerdict, *, several: bool) -> None:
    where = f"{verdict.where}: " if verdict.where and (several or ", " in verdict.where) else ""
    answer_sentence(f"{where}{verdict.words}" + (f"  ({verdict.id})" if verdict.id else ""), hang=7)
    for line in (*verdict.evidence, *([verdict.detail] if verdict.detail else []), *verdict.also):
        answer(f"     | {line}")
    if verdict.remedy:
        answer_sentence(f"  fix: {verdict.remedy}", hang=7)
