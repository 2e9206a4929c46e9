"""Raw answers of a check in a folder, to send to somebody or to judge again: one JSON file a node.

They hold what the nodes answered: addresses, host names, versions, listening processes. No key, no password.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import close, has_closing, is_closed
from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict, finding_in
from lingctl.flows.network.check import NetworkReport, judged
from lingctl.flows.network.probe import NodeAnswers, first_questions, hits_of
from lingctl.flows.run.whole_file import told_if_unwritten, write_inside
from lingctl.inventory.given_file import read_given
from lingctl.node.foreign_json import foreign_json
from lingctl.paths import is_there

# Form 1 has no mark of its own: lists in it may lack the line that says where they end.
_VERSION = 2
_FORMS = (1, _VERSION)
_INDEX = "scope.json"
_MOST_BYTES = 64 << 20  # a node of sixteen cards, pinged by a thousand others, answers a third of that
_SCOPE = TypeAdapter(Scope)
_RECORD = TypeAdapter(NodeAnswers)


def answer_files(report: NetworkReport) -> dict[str, bytes]:
    """Every raw answer of a check, as files: their names and contents."""
    index = {
        "document": "check-network-answers",
        "version": _VERSION,
        "scope": asdict(report.scope),
        "lost": [finding.as_json() for finding in report.lost.values()],
        "unreachable": list(report.unreachable),
    }
    records = {_file(name): asdict(record) for name, record in report.records.items()}
    return {
        name: (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        for name, content in {**records, _INDEX: index}.items()
    }


def save_answers(report: NetworkReport, folder: Path) -> None:
    """Write ``answer_files`` into a folder.

    Raises:
        ConfigurationError: the folder holds something else.
        UsageError: it cannot be written.
        NodeError: its disk is full.
    """
    with told_if_unwritten(folder, "name another folder: --save DIR"):
        if is_there(folder) and any(folder.iterdir()) and not is_there(folder / _INDEX):
            raise ConfigurationError(
                "the folder holds other files", where=str(folder), remedy="name an empty or a new folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in answer_files(report).items():
            write_inside(folder, name, content)


def judge_saved(folder: Path) -> NetworkReport:
    """Judge saved answers again; no node is asked.

    Raises:
        ConfigurationError: the folder does not hold what ``save_answers`` writes.
    """
    index = _read(folder / _INDEX)
    if index.get("document") != "check-network-answers" or index.get("version") not in _FORMS:
        raise ConfigurationError(
            "these are not answers that this version can judge",
            where=str(folder / _INDEX),
            evidence=f"document {index.get('document')!r}, version {index.get('version')!r}",
            code="answers-unreadable",
        )
    try:
        scope = _SCOPE.validate_python(index["scope"])
        lost = {finding["node"]: finding_in(finding) for finding in index["lost"]}
        unreachable = tuple(index["unreachable"])
        records = {
            node.name: _RECORD.validate_python(_read(folder / _file(node.name)))
            for node in scope.nodes
            if node.name not in lost
        }
        for name, record in records.items():
            hits_of(scope, name, record)  # a ping's name says between which cards it was
    except (ValidationError, LookupError, TypeError, ValueError) as error:
        raise ConfigurationError(
            "a file is not as it was written",
            where=str(folder),
            evidence=str(error).splitlines()[0],
            code="answers-unreadable",
        ) from error
    endless = {} if index["version"] == _VERSION else _endless(scope, records)
    report = judged(scope, {**records, **endless}, lost, unreachable)
    return replace(report, findings=(*report.findings, *_old_form(endless)))


def _endless(scope: Scope, records: Mapping[str, NodeAnswers]) -> dict[str, NodeAnswers]:
    """Whole records of an earlier lingctl, whose lists had no line that says where they end, with such lines.

    Every answer came whole, with its exit status; what else could be missing, nobody asked for then. A record
    in which one list has its end is not of that time: what lacks it there was cut.
    """
    completed = {}
    for name, record in records.items():
        asked = [one.id for one in first_questions(scope, name) if has_closing(one.command)]
        lists = {name: record.answers[name] for name in asked if name in record.answers}
        if record.complete and not any(is_closed(answer) for answer in lists.values()):
            ended = {
                name: replace(answer, stdout=close(answer.stdout))
                for name, answer in lists.items()
                if answer.exit_status == 0 and (answer.stdout.endswith("\n") or not answer.stdout)
            }
            completed[name] = replace(record, answers={**record.answers, **ended})
    return completed


def _old_form(nodes: Iterable[str]) -> Iterator[Finding]:
    text = (
        "saved by an earlier lingctl: its lists do not say where they end, and are taken to be whole; "
        "what it did not ask is unknown"
    )
    for node in nodes:
        remedy = "check the nodes again: lingctl check-network --save DIR"
        yield Finding("saved-answers", Verdict.NOTE, text, node, remedy=remedy)


def _file(node: str) -> str:
    name = f"{node}.json"
    return f"_{name}" if name == _INDEX else name  # no node's name begins with _


def _read(path: Path) -> dict[str, Any]:
    try:
        content = foreign_json(read_given(path, _MOST_BYTES, code="answers-unreadable").decode("utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError("no such file", where=str(path), code="answers-missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"cannot be read: {error}", where=str(path), code="answers-unreadable"
        ) from error
    if not isinstance(content, dict):
        raise ConfigurationError("is not a JSON object", where=str(path), code="answers-unreadable")
    return content
