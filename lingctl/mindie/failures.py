"""What MindIE's last words mean: known signatures in its console and logs, each with cause and remedy.

The catalogue is ``failures.toml`` beside this file; it names its sources.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

Kind = Literal["cause", "network", "consequence", "waiting", "harmless"]

_RANK = re.compile(r"\brank(?:[ _]?id)?\s?[:=\[ ]\s?(\d{1,4})\b", re.IGNORECASE)
_CARD = re.compile(
    r"\b(?:device(?:[ _]?id)?|npu(?:[ _]?id)?|davinci|logicDevid)\s?[:=\[ ]?\s?(\d{1,3})\b", re.IGNORECASE
)
# A row of HCCL's LINK_ERROR_INFO: the peer and its rank, a port, this side and its rank.
_LINK = re.compile(
    r"\|\s*([0-9a-fA-F.:]+)\((\d+)\)\s*\|\s*\d+\s*\|\s*([0-9a-fA-F.:]+)\((\d+)\)\s*\|.*\|\s*(\w+)\s*\|\s*$"
)
_CQE = re.compile(r"deviceIp\[([^]]+)\]\}, remoteIP\{.*deviceIp\[([^]]+)\]")
_TLS = re.compile(r"enabled tls:\s*(.*?); rankList for disabled tls:\s*(.*?);")
_ERROR_LINE = re.compile(
    r"\[ERROR\]|\bERROR\b|\bERR:|^\w*(?:Error|Exception)\b.*:|\bFATAL\b|Traceback|core dumped"
)
_LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A known failure.

    Attributes:
        id: stable name: A configuration, B files and model, C memory, D ports, E several nodes, F devices,
            G the node itself, Z what only follows.
        signature: texts of which one appears in the line.
        pattern: a regular expression instead of those, or None.
        kind: how much the line says about the true cause, as ``failures.toml`` explains.
        cause: what is wrong.
        remedy: what to do.
    """

    id: str
    signature: tuple[str, ...]
    pattern: re.Pattern[str] | None
    kind: Kind
    cause: str
    remedy: str

    def matches(self, line: str) -> bool:
        """Whether the line shows this failure."""
        if self.pattern is not None:
            return self.pattern.search(line) is not None
        return any(text in line for text in self.signature)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A failure that was recognised, with the line that shows it.

    Attributes:
        line: the line as it was printed, cut at 500 characters.
        kind: see ``Failure``.
        rank: the rank that the line names, if it does.
        card: the card that the line names, by the id that the process sees, if it does.
        detail: what the lines after it add: the pair of cards, the TLS switches.
    """

    id: str
    line: str
    cause: str
    remedy: str
    kind: Kind = "cause"
    rank: int | None = None
    card: int | None = None
    detail: str = ""

    @property
    def place(self) -> str:
        """Rank and card in words, empty where the line tells neither."""
        rank = "" if self.rank is None else f"rank {self.rank}"
        card = "" if self.card is None else f"card {self.card}"
        return ", ".join(part for part in (rank, card) if part)


@cache
def catalogue() -> tuple[Failure, ...]:
    """Every known failure, in the order in which they are looked for."""
    text = resources.files("lingctl.mindie").joinpath("failures.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    remedies = table.pop("remedies")
    return tuple(_failure(name, row, remedies) for name, row in table.items())


def explain(text: str) -> list[Explanation]:
    """What is recognised in a log: true causes first, then network trouble, then what only follows from them.

    Within a kind they stand in the order in which they appear, each failure once.
    """
    found: dict[str, Explanation] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        failure = match(line)
        if failure is None or failure.kind in ("harmless", "waiting") or failure.id in found:
            continue
        found[failure.id] = _explanation(failure, line, lines[number : number + 40])
    order = ("cause", "network", "consequence")
    return sorted(found.values(), key=lambda one: order.index(one.kind))


def explain_waiting(text: str) -> list[Explanation]:
    """What the log says about a start that takes too long."""
    found: dict[str, Explanation] = {}
    for line in text.splitlines():
        failure = match(line)
        if failure is not None and failure.kind == "waiting":
            found.setdefault(failure.id, _explanation(failure, line, [line]))
    return list(found.values())


def match(line: str) -> Failure | None:
    """The failure that a line shows, if it shows a known one."""
    for failure in catalogue():
        if failure.matches(line):
            return failure
    return None


def first_errors(text: str, limit: int = 5) -> list[str]:
    """The first lines that look like errors; the last lines of all where none does. For what is not known."""
    lines = [line.rstrip()[:_LONGEST_LINE] for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.search(line) and not _means_nothing(line)]
    return errors[:limit] or lines[-limit:]


def exit_meaning(status: str) -> str:
    """What an exit status of the daemon means, as far as it means something.

    Source: MindIE-LLM 3.0.0's daemon (abort at the end of a requested stop, SIGKILL to its group after a
    failed start, -1 for wrong arguments).
    """
    meanings = {
        "134": "it aborted; after a requested stop this is how 3.0.0 ends",
        "137": "killed: MindIE kills itself so when its start fails, the kernel when memory runs out",
        "139": "it crashed (segmentation fault)",
        "143": "it was asked to end",
        "255": "it refused its command line or its configuration",
    }
    return meanings.get(status, "")


def _means_nothing(line: str) -> bool:
    failure = match(line)
    return failure is not None and failure.kind in ("harmless", "waiting")


def _failure(name: str, row: Mapping[str, Any], remedies: Mapping[str, str]) -> Failure:
    remedy = str(row["remedy"])
    return Failure(
        id=name,
        signature=tuple(row.get("signature", ())),
        pattern=re.compile(row["pattern"]) if "pattern" in row else None,
        kind=row.get("kind", "cause"),
        cause=row["cause"],
        remedy=remedies[remedy[1:]] if remedy.startswith("@") else remedy,
    )


def _explanation(failure: Failure, line: str, following: Iterable[str]) -> Explanation:
    rank, card = _RANK.search(line), _CARD.search(line)
    return Explanation(
        id=failure.id,
        line=line.strip()[:_LONGEST_LINE],
        cause=failure.cause,
        remedy=failure.remedy,
        kind=failure.kind,
        rank=int(rank[1]) if rank else None,
        card=int(card[1]) if card else None,
        detail=_detail(line, following if failure.kind == "network" else ()),
    )


def _detail(line: str, following: Iterable[str]) -> str:
    if tls := _TLS.search(line):
        return f"on: {tls[1] or 'none'}; off: {tls[2] or 'none'}"
    if cqe := _CQE.search(line):
        return f"from {cqe[1]} to {cqe[2]}"
    for later in following:
        if link := _LINK.search(later):
            peer, peer_rank, own, own_rank, switch = link.groups()
            pair = f"from {own} (rank {own_rank}) to {peer} (rank {peer_rank})"
            return f"{pair}; this side's TLS: {switch.lower()}"
    return ""
