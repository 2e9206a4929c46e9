"""check-network for people and for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lingctl.checks.reach.mesh import Hit
from lingctl.findings import Finding, Verdict
from lingctl.flows.network.check import NetworkReport
from lingctl.flows.network.document import matrix, network_json
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
    cells = _cells(report.findings)
    shown = [column for column in COLUMNS if any(column in found for found in cells.values())]
    rows = [[name, *(_cell(cells, name, column) for column in shown)] for name in names]
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


def _cells(findings: Sequence[Finding]) -> dict[str, dict[str, Verdict]]:
    """The worst verdict of each node's columns."""
    columns = {check: column for column, checks in COLUMNS.items() for check in checks}
    cells: dict[str, dict[str, Verdict]] = defaultdict(dict)
    for finding in findings:
        if (column := columns.get(finding.check)) is not None:
            known = cells[finding.node]
            known[column] = max(finding.verdict, known.get(column, Verdict.PASS))
    return cells


def _cell(cells: Mapping[str, Mapping[str, Verdict]], node: str, column: str) -> str:
    verdict = cells.get(node, {}).get(column)
    return "-" if verdict is None else verdict.word


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
