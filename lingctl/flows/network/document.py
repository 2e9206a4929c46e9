"""What a check of the network found, as plain data."""

from __future__ import annotations

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.facts import as_json
from lingctl.checks.reach.mesh import Hit
from lingctl.findings import Verdict
from lingctl.flows.network.check import NetworkReport


def network_json(report: NetworkReport) -> dict[str, object]:
    """Every fact and finding; docs/reference/check-network.schema.json describes it."""
    verdicts: dict[str, Verdict] = {}
    for finding in report.findings:
        verdicts[finding.node] = max(finding.verdict, verdicts.get(finding.node, Verdict.PASS))
    return {
        "verdict": report.verdict.word,
        "nodes": [
            {
                "name": node.name,
                "address": node.address,
                "cards": list(node.cards),
                "verdict": verdicts.get(node.name, Verdict.PASS).word,
                "facts": as_json(report.facts[node.name]) if node.name in report.facts else None,
            }
            for node in report.scope.nodes
        ],
        "findings": [finding.as_json() for finding in report.findings],
        "mesh": [_hit_json(hit) for hit in report.hits],
    }


def _hit_json(hit: Hit) -> dict[str, object]:
    (from_node, from_card), (to_node, to_card) = hit.shot.source, hit.shot.target
    seen = hit.ping
    return {
        "from": {"node": from_node, "device": from_card},
        "to": {"node": to_node, "device": to_card, "address": hit.shot.address},
        "plane": hit.shot.plane,
        "answered": hit.ok,
        "sent": seen.sent if isinstance(seen, Ping) else None,
        "received": seen.received if isinstance(seen, Ping) else None,
        "slowest_ms": seen.slowest_ms if isinstance(seen, Ping) else None,
        "problem": seen.trouble if isinstance(seen, Ping) else seen.text,
    }
