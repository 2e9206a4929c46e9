"""The smoke test's findings about nodes: is every daemon alive, does every card hold its part. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.findings import Finding, Subject

# An idle 64 GB card shows about 5 % in use; with weights and KV cache it is most of the card.
# Inference from npu-smi transcripts; not measured with a Ling model.
LEAST_HBM_PERCENT = 15.0
_UNREAD, _ASK = "memory in use could not be read", "on the node: npu-smi info"


def daemon_finding(node: str, alive: bool | None, evidence: str = "", *, started: bool = True) -> Finding:
    """Whether a node's daemon does its part.

    Args:
        alive: whether it runs; None where that could not be asked.
        evidence: how it ended, or why it could not be asked.
        started: whether it was started, and not stopped on request since.
    """
    of = Subject("daemon", node)
    if alive is None:
        remedy = "see whether it can be reached: lingctl status"
        return of.unknown("could not be asked", evidence=evidence, remedy=remedy)
    if alive:
        return of.passes("alive")
    if not started:
        return of.failure("no daemon runs: nothing is deployed, or it was stopped", remedy="lingctl deploy")
    remedy = f"read why: lingctl logs --node {node}; then start it again: lingctl deploy"
    return of.failure("the daemon is dead", evidence=evidence, remedy=remedy)


def memory_findings(node: str, percents: Mapping[int, float | None], unread: str = "") -> list[Finding]:
    """Whether its cards hold their parts: one verdict where all are full, else one for each that is not.

    Args:
        percents: of each card's memory in use, by physical id; None where it could not be read.
        unread: why none could be read; empty where the tool answered.
    """
    if unread:
        return [Subject("memory", node).unknown(_UNREAD, evidence=unread, remedy=_ASK)]
    cards = sorted(percents.items())
    bad = [finding for card, percent in cards for finding in _card_memory(node, card, percent)]
    used = [percent for _, percent in cards if percent is not None]
    if bad or not used:
        return bad
    least, most = round(min(used)), round(max(used))
    share = f"{least}" if least == most else f"{least} to {most}"
    return [Subject("memory", node).passes(f"{share} % in use on each of {len(used)} cards")]


def _card_memory(node: str, card: int, percent: float | None) -> list[Finding]:
    of = Subject("memory", node, card)
    if percent is None:
        return [of.unknown(_UNREAD, remedy=_ASK)]
    if percent >= LEAST_HBM_PERCENT:
        return []
    evidence = f"{percent:.0f} % in use, at least {LEAST_HBM_PERCENT:.0f} % expected"
    remedy = f"the card holds no weights: is its rank up? lingctl logs --node {node}"
    return [of.failure("the card's memory is nearly empty", evidence=evidence, remedy=remedy)]
