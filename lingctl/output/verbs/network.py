"""check-network for people and for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lingctl.findings import Finding, Verdict
from lingctl.flows.network.check import NetworkReport
from lingctl.flows.network.document import network_json
from lingctl.output.documents import print_json
from lingctl.output.findings import print_findings, summary
from lingctl.output.screen.terminal import answer
from lingctl.output.tables import print_table
from lingctl.output.verbs.mesh import print_mesh

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


def print_network(report: NetworkReport) -> None:
    """The table of nodes and checks, the mesh, and what was found, worst first."""
    shown, rows = network_rows(report)
    print_table(("node", *shown), rows)
    if report.hits:
        print_mesh(report.picture)
    if report.verdict > Verdict.PASS:
        answer("")
    print_findings(report.findings, above=Verdict.PASS)
    answer("")
    answer(f"{len(rows)} node{'s' if len(rows) > 1 else ''}: {summary(report.findings)}")


def network_rows(report: NetworkReport) -> tuple[list[str], list[list[str]]]:
    """The kinds of checks that were made; and each node with its worst verdict of each kind."""
    cells = _cells(report.findings)
    shown = [column for column in COLUMNS if any(column in found for found in cells.values())]
    words = {name: {kind: verdict.word for kind, verdict in cells[name].items()} for name in report.asked}
    return shown, [[name, *(told.get(kind, "-") for kind in shown)] for name, told in words.items()]


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
