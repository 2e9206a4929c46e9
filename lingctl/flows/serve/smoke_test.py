"""smoke-test: proof that the service answers, and that every node has its part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lingctl.ascend.cards.npu_smi import Chip
from lingctl.ascend.unread import Unread
from lingctl.engine.interface import Engine
from lingctl.engines import engine_of
from lingctl.errors import LingctlError
from lingctl.events import Listener
from lingctl.findings import Finding, Verdict
from lingctl.flows.look.cards import ROWS_ASKED, rows_in
from lingctl.flows.look.daemon import how_it_ended, look_at_daemon, look_closer
from lingctl.flows.look.running import lost_nodes
from lingctl.flows.serve.asked_service import AskedService, UrlService
from lingctl.inventory.cluster import Cluster
from lingctl.release.site import Site, site_of
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import probed
from lingctl.serving.http.exchange import Limits
from lingctl.serving.smoke.ladder import smoke_test
from lingctl.serving.smoke.nodes import daemon_finding, memory_findings
from lingctl.serving.smoke.report import SmokeOptions, SmokeReport, not_climbed

_ALL_NODES = "lingctl smoke-test asks all nodes"


def smoke_test_service(service: AskedService, options: SmokeOptions, listener: Listener) -> SmokeReport:
    """Test a service, and of a cluster its nodes.

    No text is asked for where a daemon is dead or cannot be seen: such a request could end the service.
    """
    options, limits = replace(options, kind=service.kind(options.kind)), Limits(idle=options.patience)
    if isinstance(service, UrlService):
        with service.client(limits) as client:
            return smoke_test(client, options, listener=listener)
    group, cluster = service.group, service.cluster
    if cluster.primary.name in group.left_out:
        report = not_climbed(service.endpoint, options, f"{cluster.primary.name} was not asked")
        return report.with_findings(_about_nodes(group, cluster))
    with service.client(limits) as client:
        lost = lost_nodes(group, site_of(cluster))
        report = smoke_test(client, options, listener=listener, without_asking=lost)
    if group.left_out:
        report = replace(report, findings=tuple(_not_risked(one, group.left_out) for one in report.findings))
    return report.with_findings(_about_nodes(group, cluster))


def _about_nodes(group: Group, cluster: Cluster) -> list[Finding]:
    """Every node's daemon and cards, nodes side by side; those that cannot be reached say so."""
    site, engine = site_of(cluster), engine_of(cluster)
    seen = group.map(lambda connection: _about_node(connection, site, engine))
    found = []
    for name in site.nodes:
        if name not in group.left_out:
            told = seen[name]
            found += [daemon_finding(name, None, told.what)] if isinstance(told, LingctlError) else told
    if group.left_out:
        text = f"not judged, as --node left them out: {', '.join(group.left_out)}"
        found.append(Finding("daemon", Verdict.UNKNOWN, text, remedy=_ALL_NODES))
    return found


def _about_node(connection: Connection, site: Site, engine: Engine) -> list[Finding]:
    """Of a node whose daemon does not live nothing else is told: its cards hold nothing because of that."""
    node, daemon = connection.node, look_at_daemon(connection, site)
    if not daemon.alive:
        how = ""
        if daemon.started:
            how = how_it_ended(look_closer(connection, site, engine, daemon), engine.logs)
        return [daemon_finding(node, False, how, started=daemon.started)]
    rows = rows_in(probed(connection, ROWS_ASKED, "read the cards' memory"))
    if isinstance(rows, Unread):
        memory = memory_findings(node, {}, f"{rows.text}: {rows.quote}")
    else:
        memory = memory_findings(
            node, {card: _hbm_percent(rows.chips.get(card)) for card in site.cards[node]}
        )
    return [daemon_finding(node, True), *memory]


def _not_risked(finding: Finding, left_out: Sequence[str]) -> Finding:
    if finding.check != "generate" or finding.verdict is not Verdict.UNKNOWN:
        return finding
    text = (
        f"not judged, as {', '.join(left_out)} was not asked: where a daemon is dead, a request could end "
        "the service"
    )
    return replace(finding, message=text, evidence="", remedy=_ALL_NODES)


def _hbm_percent(chip: Chip | None) -> float | None:
    if chip is None or chip.hbm_used_mb is None or not chip.hbm_total_mb:
        return None
    return 100 * chip.hbm_used_mb / chip.hbm_total_mb
