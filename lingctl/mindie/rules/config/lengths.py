"""Rules of lengths that MindIE starts with, and then does not keep."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.findings import Verdict
from lingctl.mindie.rules.rule import CODE, Parts, rule, rule_of_3


@rule_of_3(
    "config-truncation",
    "truncation is true, false, -1, 0 or 1, else the default is used",
    source=f"{CODE}param_checker.cpp",
    remedy="use 0",
    verdict=Verdict.WARNING,
)
def _truncation(parts: Parts) -> Iterator[str]:
    value = parts["ModelDeployConfig"].get("truncation", 0)
    if type(value) is not bool and not (type(value) is int and value in (-1, 0, 1)):
        yield f"truncation is {value!r}"


@rule(
    "config-truncation",
    "truncation is true or false",
    source="vendor documents of 1.0.0 to 2.3",
    remedy="use false",
    verdict=Verdict.WARNING,
    generations=(1, 2),
)
def _truncation_bool(parts: Parts) -> Iterator[str]:
    value = parts["ModelDeployConfig"].get("truncation", False)
    if type(value) is not bool:
        yield f"truncation is {value!r}"


@rule(
    "config-sequence",
    "maxSeqLen is at least maxInputTokenLen, else longer inputs are refused one by one",
    source="msprechecker; the server does not check it",
    remedy="raise maxSeqLen",
    verdict=Verdict.WARNING,
)
def _sequence(parts: Parts) -> Iterator[str]:
    deploy = parts["ModelDeployConfig"]
    whole, longest = deploy.get("maxSeqLen"), deploy.get("maxInputTokenLen")
    if type(whole) is int and type(longest) is int and whole < longest:
        yield f"maxSeqLen is {whole}, maxInputTokenLen is {longest}"


@rule(
    "config-iterations",
    "maxIterTimes is at most maxSeqLen",
    source="msprechecker; the server does not check it",
    remedy="lower maxIterTimes",
    verdict=Verdict.WARNING,
)
def _iterations(parts: Parts) -> Iterator[str]:
    longest, most = parts["ModelDeployConfig"].get("maxSeqLen"), parts["ScheduleConfig"].get("maxIterTimes")
    if type(longest) is int and type(most) is int and most > longest:
        yield f"maxIterTimes is {most}, maxSeqLen is {longest}"
