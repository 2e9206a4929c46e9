"""A glance at a cluster that serves: what may break under it, and what a glance does not see. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import Scope
from lingctl.checks.between.clocks import clock_findings
from lingctl.checks.cards.count import answers, judge_card
from lingctl.checks.cards.health import card_health_findings
from lingctl.checks.cards.roce import judge_link, without_roce
from lingctl.checks.nodes import disk_findings
from lingctl.findings import Finding, Verdict

UNSEEN = (
    "Looked at: links, health of the cards, disks, clocks. Not looked at, because the service runs: "
    "addresses, TLS, versions, pings between the cards; lingctl check-network does."
)


def glance_findings(scope: Scope, facts: Mapping[str, NodeFacts]) -> Iterator[Finding]:
    """What a glance shows of every node that answered."""
    for node in facts.values():
        # The daemon is known to run: what a card holds is its own.
        own = replace(node, service=True)
        yield from card_health_findings(own, scope)
        yield from disk_findings(own, scope)
        for card in node.cards.values():
            asked = judge_card(node, card)
            if asked.verdict > Verdict.NOTE:
                yield asked
            if answers(card) and scope.multi_node and not without_roce(node.generation, card):
                yield judge_link(node.node, card)
    if scope.multi_node:
        yield from clock_findings({name: node.clock for name, node in facts.items()})
