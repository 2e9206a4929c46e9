"""The open questions: what nobody without cards can know, and which of them a report answers. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lingctl.findings import Verdict
from lingctl.flows.accept.protocol import PartResult

_FILE = "open_questions.toml"


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One of them; see the head of the TOML file."""

    number: int
    question: str
    source: str
    part: str = ""
    how: str = ""
    engine: str = ""
    model: str = ""
    nodes: int = 1
    ranks: int = 1
    unprivileged: bool = False
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterKind:
    """What of a cluster decides which questions it can answer."""

    engine: str  # title and version
    model: str
    nodes: int
    ranks: int
    privileged: bool


@cache
def open_questions() -> tuple[OpenQuestion, ...]:
    """All, by number."""
    table = tomllib.loads((files(__package__) / _FILE).read_text(encoding="utf-8"))
    found = [OpenQuestion(**{**row, "figures": tuple(row.get("figures", ()))}) for row in table["open"]]
    return tuple(sorted(found, key=lambda one: one.number))


def answers_to(kind: ClusterKind, results: Mapping[str, PartResult]) -> list[dict[str, Any]]:
    """Which questions these results answer, and how. What could not be judged answers nothing."""
    found = []
    for one in open_questions():
        result = results.get(one.part)
        if result is None or not result.done or result.verdict == Verdict.UNKNOWN.word:
            continue
        if not _is_of(one, kind):
            continue
        figures = {name: _figure(result, name) for name in one.figures}
        found.append(
            {
                "number": one.number,
                "question": one.question,
                "verdict": result.verdict,
                "what": result.what,
                "figures": {name: value for name, value in figures.items() if value is not None},
            }
        )
    return found


def _is_of(one: OpenQuestion, kind: ClusterKind) -> bool:
    return (
        kind.engine.startswith(one.engine)
        and kind.model.startswith(one.model)
        and kind.nodes >= one.nodes
        and kind.ranks >= one.ranks
        and not (one.unprivileged and kind.privileged)
    )


def _figure(result: PartResult, name: str) -> object:
    if name == "seconds":
        return result.seconds
    return list(result.sentences) if name == "findings" else result.data.get(name)
