"""The smoke test's findings about nodes: is every daemon alive, does every card hold its part. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lingctl.findings import Finding, Subject

# An idle 64 GB card shows about 5 % in use; with weights and KV cache it is most of the card.
# Inference from npu-smi transcripts; not measured with a Ling model.
LEAST_HBM_PERCENT = 15.0
_UNREAD, _READ = "memory in use could not be read", "on the node: npu-smi info"


@dataclass(frozen=True, slots=True)
class NodeSight:
    """What was seen on one node while the service answered."""

    node: str  # its name
    daemon_alive: bool | None  # whether MindIE's daemon runs; None if that could not be asked
    evidence: str = ""  # exit status, last words, or why it could not be asked
    # memory in use of each card by physical id; None where it could not be read
    hbm_percent: Mapping[int, float | None] = field(default_factory=dict)
    hbm_unread: str = ""  # why no card's memory could be read; empty where the tool answered
    started: bool = True  # whether the daemon was started, and not stopped on request since


def node_findings(sights: Iterable[NodeSight]) -> list[Finding]:
    """``daemon`` for each node, and of those that are not dead ``memory``: for each node whose
    cards are full, else for each bad card."""
    found: list[Finding] = []
    for sight in sights:
        found += [_daemon(sight), *_memory(sight)]
    return found


def _daemon(sight: NodeSight) -> Finding:
    of = Subject("daemon", sight.node)
    if sight.daemon_alive is None:
        remedy = "see whether it can be reached: lingctl status"
        return of.unknown("could not be asked", evidence=sight.evidence, remedy=remedy)
    if sight.daemon_alive:
        return of.passes("alive")
    if not sight.started:
        return of.failure("no daemon runs: nothing is deployed, or it was stopped", remedy="lingctl deploy")
    remedy = f"read why: lingctl logs --node {sight.node}; then start it again: lingctl deploy"
    return of.failure("the daemon is dead", evidence=sight.evidence, remedy=remedy)


def _memory(sight: NodeSight) -> list[Finding]:
    if sight.daemon_alive is False:
        return []  # its cards hold nothing because of that
    if sight.hbm_unread:
        return [Subject("memory", sight.node).unknown(_UNREAD, evidence=sight.hbm_unread, remedy=_READ)]
    cards = sorted(sight.hbm_percent.items())
    bad = [finding for card, percent in cards for finding in _card_memory(sight.node, card, percent)]
    used = [percent for _, percent in cards if percent is not None]
    if bad or not used:
        return bad
    least, most = round(min(used)), round(max(used))
    share = f"{least}" if least == most else f"{least} to {most}"
    return [Subject("memory", sight.node).passes(f"{share} % in use on each of {len(used)} cards")]


def _card_memory(node: str, card: int, percent: float | None) -> list[Finding]:
    of = Subject("memory", node, card)
    if percent is None:
        return [of.unknown(_UNREAD, remedy=_READ)]
    if percent >= LEAST_HBM_PERCENT:
        return []
    evidence = f"{percent:.0f} % in use, at least {LEAST_HBM_PERCENT:.0f} % expected"
    remedy = f"the card holds no weights: is its rank up? lingctl logs --node {node}"
    return [of.failure("the card's memory is nearly empty", evidence=evidence, remedy=remedy)]
