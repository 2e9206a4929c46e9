"""check-network for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.facts import as_json
from lingctl.checks.reach.mesh import Hit
from lingctl.findings import Finding, Verdict, worst
from lingctl.flows.network.check import NetworkReport
from lingctl.output.documents import print_json
from lingctl.output.findings import print_findings, summary
from lingctl.output.tables import print_table
from lingctl.output.terminal import answer

# Columns of the table and the checks that each stands for; few enough for 80 characters.
COLUMNS: dict[str, tuple[str, ...]] = {
    "ssh": ("ssh",),
    "cards": ("hccn-tool", "card", "card-count", "npu-health", "hbm"),
    "link": (
        *("link", "speed", "speed-same", "link-flaps", "optics", "error-counters"),
        *("lldp", "switch-port", "mtu", "mtu-same"),
    ),
    "ip": ("ip", "ip-unique", "ip-family", "netmask-same", "hccn-conf", "gateway"),
    "tls": ("tls", "tls-same"),
    "health": ("net-health", "netdetect"),
    "pod": ("vnic", "super-pod"),
    "host": (
        *("driver", "firmware", "driver-same", "firmware-same", "port", "memory", "disk", "shm"),
        *("clock", "hostname", "mount", "root-info", "firewall", "rights", "engine-version"),
    ),
    "image": ("runtime", "image", "image-same", "same-files"),
    "reach": ("reach",),
    "ping": ("ping",),
}
_LARGEST_MATRIX = 16


def print_network(report: NetworkReport) -> None:
    """The table of nodes and checks, the mesh, and what was found, worst first."""
    names = [node.name for node in report.scope.nodes]
    shown = [column for column in COLUMNS if _of_column(report.findings, column)]
    rows = [[name, *(_cell(report.findings, name, column) for column in shown)] for name in names]
    print_table(("node", *shown), rows)
    if report.hits:
        _print_matrix(names, report.hits)
    if report.verdict > Verdict.PASS:
        answer("")
    print_findings(report.findings, above=Verdict.PASS)
    answer("")
    answer(f"{len(names)} node{'s' if len(names) > 1 else ''}: {summary(report.findings)}")


def print_network_json(report: NetworkReport) -> None:
    """The versioned document; docs/reference/check-network.schema.json describes it."""
    print_json("check-network", network_json(report))


def network_json(report: NetworkReport) -> dict[str, object]:
    """Every fact and finding as plain data."""
    return {
        "verdict": report.verdict.word,
        "nodes": [
            {
                "name": node.name,
                "address": node.address,
                "cards": list(node.cards),
                "verdict": worst(f for f in report.findings if f.node == node.name).word,
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


def _of_column(findings: Sequence[Finding], column: str) -> list[Finding]:
    return [finding for finding in findings if finding.check in COLUMNS[column]]


def _cell(findings: Sequence[Finding], node: str, column: str) -> str:
    found = [finding for finding in _of_column(findings, column) if finding.node == node]
    return worst(found).word if found else "-"


def matrix(names: Sequence[str], hits: Sequence[Hit]) -> list[list[str]]:
    """A row per node: its name, then ``answered/made`` for each node it pinged."""
    made: Counter[tuple[str, str]] = Counter()
    answered: Counter[tuple[str, str]] = Counter()
    for hit in hits:
        pair = (hit.shot.source[0], hit.shot.target[0])
        made[pair] += 1
        answered[pair] += hit.ok
    return [
        [
            row,
            *(
                f"{answered[row, column]}/{made[row, column]}" if made[row, column] else "-"
                for column in names
            ),
        ]
        for row in names
    ]


def _print_matrix(names: Sequence[str], hits: Sequence[Hit]) -> None:
    rows = matrix(names, hits)
    answer("")
    if len(names) <= _LARGEST_MATRIX:
        print_table(("pings answered, from \\ to", *names), rows, numbers=names)
        return
    broken = [hit for hit in hits if not hit.ok]
    answer(f"pings: {len(hits) - len(broken)} of {len(hits)} answered")
    pairs = sorted({(hit.shot.source[0], hit.shot.target[0]) for hit in broken})
    if pairs:
        counts = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
        print_table(
            ("from", "to", "answered"), [(source, target, counts[source][target]) for source, target in pairs]
        )
