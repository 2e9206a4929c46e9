"""Which node's trouble is the true cause, when several nodes have something to say. Pure.

A rank that loses its peer reports HCCL errors of its own, often louder than the one that failed first. So
a known cause on any node outweighs a node that ended without a known one, and that outweighs network trouble,
and that what only follows from something else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lingctl.mindie.failures import Explanation, explain, first_errors

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ T-](\d{2}:\d{2}:\d{2}[.,]?\d*)")
_WEIGHT = {"cause": 3, "network": 1, "consequence": 0}
_UNEXPLAINED_END = 2


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The node that failed first, as far as the logs tell.

    Attributes:
        node: its name.
        explanation: what its log means, or None for an error that is not known.
        evidence: the quoted lines.
        also: what the other nodes report, one line each.
    """

    node: str
    explanation: Explanation | None
    evidence: str
    also: tuple[str, ...] = ()


def diagnose(logs: Mapping[str, str], ended: Collection[str]) -> Diagnosis | None:
    """Find the true cause.

    Args:
        logs: the text of every node's console and error logs, by node, the primary first.
        ended: nodes whose daemon is gone.

    Returns:
        The cause, or None where no node has ended and none reports anything known.
    """
    candidates = [_candidate(node, text, node in ended) for node, text in logs.items()]
    known = [one for one in candidates if one is not None]
    if not known:
        return None
    best = max(known, key=lambda one: (one[0], -one[1]))[2]
    also = [
        f"{other.node}: {other.explanation.cause if other.explanation else 'ended without a known error'}"
        for _, _, other in known
        if other is not best
    ]
    return Diagnosis(best.node, best.explanation, best.evidence, tuple(also))


def _candidate(node: str, text: str, ended: bool) -> tuple[int, float, Diagnosis] | None:
    """Weight, time in seconds (later counts less), and what the node has to say."""
    explained = explain(text)
    if explained and explained[0].kind == "cause":
        return _weighed(node, explained[0], _WEIGHT["cause"])
    if explained and explained[0].kind == "network":
        return _weighed(node, explained[0], _WEIGHT["network"])
    if ended:
        evidence = "\n".join(first_errors(text)) or "it printed nothing"
        explanation = explained[0] if explained else None
        return _UNEXPLAINED_END, _seconds(evidence), Diagnosis(node, explanation, evidence)
    if explained:
        return _weighed(node, explained[0], _WEIGHT["consequence"])
    return None


def _weighed(node: str, explanation: Explanation, weight: int) -> tuple[int, float, Diagnosis]:
    return weight, _seconds(explanation.line), Diagnosis(node, explanation, explanation.line)


def _seconds(line: str) -> float:
    """Seconds of the line's own time within its month, for comparing; endless where it has none."""
    found = _TIME.search(line)
    if not found:
        return float("inf")
    hours, minutes, seconds = found[2].replace(",", ".").rstrip(".").split(":")
    day = int(found[1][-2:])
    return day * 86_400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
