"""check-network for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence

from lingctl.findings import Finding, Verdict, worst
from lingctl.flows.network.check import NetworkReport
from lingctl.flows.network.document import network_json
from lingctl.output.documents import print_json
from lingctl.output.findings import print_findings, summary
from lingctl.output.tables import print_table
from lingctl.output.terminal import answer
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
    shown = [column for column in COLUMNS if _of_column(report.findings, column)]
    return shown, [[name, *(_cell(report.findings, name, kind) for kind in shown)] for name in report.asked]


def print_network_json(report: NetworkReport) -> None:
    """The versioned document; docs/reference/check-network.schema.json describes it."""
    print_json("check-network", network_json(report))


def _of_column(findings: Sequence[Finding], column: str) -> list[Finding]:
    return [finding for finding in findings if finding.check in COLUMNS[column]]


def _cell(findings: Sequence[Finding], node: str, column: str) -> str:
    found = [finding for finding in _of_column(findings, column) if finding.node == node]
    return worst(found).word if found else "-"
