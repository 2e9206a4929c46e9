"""What a rule over several fields of config.json is, and the parts of a document that rules look at.

A missing field, or one of the wrong type, is not the business of such a rule: ``fields`` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lingctl.findings import Finding, Verdict

Parts = dict[str, dict[str, Any]]


class Breach(NamedTuple):
    """What breaks a rule, where the value itself says what to write."""

    text: str
    remedy: str


Broken = Callable[[Parts], Iterator[str | Breach]]

ALL = (1, 2, 3)
CODE = "MindIE-LLM v3.0.0 src/config_manager/"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over several fields."""

    check: str  # name of the finding
    says: str  # the rule, for people
    source: str  # where it is known from
    broken: Broken  # yields what breaks it in a document, as texts of field and value, perhaps with a remedy
    remedy: str  # what to change
    verdict: Verdict  # failure if MindIE refuses to start, warning if it starts and misbehaves
    generations: tuple[int, ...]  # which MindIE it is about


def rule(
    check: str,
    says: str,
    *,
    source: str,
    remedy: str,
    verdict: Verdict = Verdict.FAILURE,
    generations: tuple[int, ...] = ALL,
) -> Callable[[Broken], Rule]:
    """Makes a ``Rule`` of the function that yields what breaks it; ``catalogue`` finds it in its module."""
    return lambda broken: Rule(check, says, source, broken, remedy, verdict, generations)


def rule_of_3(
    check: str, says: str, *, source: str, remedy: str, verdict: Verdict = Verdict.FAILURE
) -> Callable[[Broken], Rule]:
    """As ``rule``, of 3.0.0 and later: what earlier ones make of such fields nobody has read."""
    return rule(check, says, source=source, remedy=remedy, verdict=verdict, generations=(3,))


def broken_rule(
    check: str, message: str, source: str, remedy: str, verdict: Verdict = Verdict.FAILURE
) -> Finding:
    """What is found of a file that breaks a rule."""
    return Finding(check, verdict, message, evidence=f"rule from {source}" if source else "", remedy=remedy)


def several(parts: Parts) -> bool:
    """Whether the file is for one node of several."""
    return parts["BackendConfig"].get("multiNodesInferEnabled") is True


def models(parts: Parts) -> list[tuple[str, dict[str, Any]]]:
    """Every model, with what to put before a message about it: nothing for the usual first one."""
    listed = parts["ModelDeployConfig"].get("ModelConfig")
    later = enumerate(listed[1:] if isinstance(listed, list) else [], start=1)
    return [
        ("", parts["ModelConfig"]),
        *((f"ModelConfig[{index}]: ", model) for index, model in later if isinstance(model, dict)),
    ]
