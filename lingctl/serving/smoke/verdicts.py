"""What all rungs of the smoke test have in common: how they pass and fail, and what an error means. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lingctl.findings import Finding, Verdict
from lingctl.serving.faults import Fault, fault_of
from lingctl.serving.trouble import ExchangeTrouble

# How the finding of a rung above the one that broke begins.
NOT_REACHED = "not reached: "
# What an error means, where it is not the request's own fault.
TOLD: dict[Fault, str] = {
    "tokenizers": "every tokenizer process is in use",
    "busy": "the service is busy",
    "loading": "its model still loads",
    "stopping": "the service is stopping",
    "quota": "nothing is left on the account of the API key",
    "timeout": "the engine brought no token in time",
    "engine": "the engine failed",
    "lost-node": "the primary says that it has lost a node",
    "abnormal": "the service calls itself unhealthy",
    "key": "the service wants an API key, or does not take the one that was sent",
    "redirect": "the service is elsewhere",
}


def held_back(reason: str) -> Finding:
    """The request that was not sent, because it could end the service.

    In MindIE 3.0.0 the first request after the loss of a node ends the primary, without an answer (seen).
    """
    remedy = "see every node's daemon: lingctl status; start all of them again: lingctl restart"
    return Finding("generate", Verdict.UNKNOWN, f"not asked: {reason}", evidence=reason, remedy=remedy)


def not_reached(name: str, because: str) -> Finding:
    """A rung above the one that broke: unknown, which is no pass."""
    return Finding(name, Verdict.UNKNOWN, f"{NOT_REACHED}{because} failed")


def not_judged(name: str, because: str) -> Finding:
    """A rung that nobody may climb."""
    return Finding(name, Verdict.UNKNOWN, f"{NOT_REACHED}{because}")


def why(trouble: ExchangeTrouble, otherwise: str) -> str:
    """What an error means, or other words where its fault has none."""
    if fault_of(trouble) == "stopping" and trouble.empty:
        # SGLang answers so while it starts, MindIE once a process of it has died.
        return "the service takes no requests: it is stopping, or still starting"
    return TOLD.get(fault_of(trouble), otherwise)


def noted(name: str, message: str, notes: Sequence[str]) -> Finding:
    """A pass; a note where something has to be known about it."""
    return Finding(name, Verdict.NOTE if notes else Verdict.PASS, "; ".join([message, *notes]))


def passed(name: str, message: str) -> Finding:
    """A pass."""
    return Finding(name, Verdict.PASS, message)


def failed(name: str, message: str, evidence: str, remedy: str) -> Finding:
    """A failure."""
    return Finding(name, Verdict.FAILURE, message, evidence=evidence, remedy=remedy)
