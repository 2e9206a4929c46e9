"""The page of check-network: what was found, the mesh, and the facts of every node and card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lingctl.ascend.cards.hccn import DeviceAddress, Gateway, Neighbour, Tls
from lingctl.ascend.cards.signal import Counters, LinkHistory, Optics
from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.scope import NodeScope
from lingctl.ascend.unread import Unread
from lingctl.ascend.versions import Version
from lingctl.findings import Finding, Verdict, in_short, worst
from lingctl.flows.network.check import NetworkReport
from lingctl.output.pages.mesh import mesh_tables
from lingctl.output.pages.sheet import Markup, badge, findings_table, head, listed, safe, table
from lingctl.output.pages.wording import wording

# Verdicts are called as on the terminal.
_WORDS = {name: word for name, word in wording("en", "shared").items() if not name.startswith("verdict.")}
_CARDS = (
    *("card", "link", "address", "gateway", "TLS", "health", "speed", "MTU", "switch port"),
    *("losses", "damaged", "optics"),
)
# Cards of so many nodes are open when the page is.
_MOST_OPEN = 4


@dataclass(frozen=True, slots=True)
class PageHead:
    """Whose page it is."""

    what: str  # the cluster, or this machine
    command: str  # that made it
    at: str  # UTC
    lingctl: str  # version


def network_page(
    report: NetworkReport, of: PageHead, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> str:
    """The whole page.

    Args:
        columns: kinds of checks.
        rows: a node and its verdicts, as the table on the terminal has them.
    """
    return "".join(_parts(report, of, columns, rows))


def _parts(
    report: NetworkReport, of: PageHead, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> Iterator[str]:
    nodes = [node for node in report.scope.nodes if node.name in report.asked]
    left_out = [node.name for node in report.scope.nodes if node not in nodes]
    cards = sum(len(node.cards) for node in nodes)
    yield head(f"check-network: {of.what}", "en", "check-network")
    more = f"; not asked: {in_short(left_out)}" if left_out else ""
    yield f'<p class="dim">{len(nodes)} node{"s"[: len(nodes) > 1]}, {cards} cards{safe(more)}</p>'
    yield f'<p class="whole">{safe(badge(report.verdict.word, _WORDS))}</p>'
    command = Markup(f"<code>{safe(of.command)}</code>")
    yield listed((("Time (UTC)", of.at), ("Command", command), ("lingctl", of.lingctl)))
    bad = [finding for finding in report.findings if finding.verdict > Verdict.PASS]
    yield f"<h2>Findings</h2>{findings_table(bad, _WORDS) if bad else '<p>Nothing worse than a pass.</p>'}"
    yield "<h2>Checks</h2>"
    judged = [
        (node, *(badge(word, _WORDS) if word != "-" else "-" for word in verdicts))
        for node, *verdicts in rows
    ]
    yield table(("node", *columns), judged, ("",) + ("n",) * len(columns))
    if report.hits:
        yield f"<h2>{safe(_WORDS['mesh'])}</h2>{mesh_tables(report.picture.as_json(), _WORDS)}"
    yield f"<h2>Nodes</h2>{_nodes(nodes, report)}<h2>Cards</h2>"
    for node in nodes:
        yield _cards(node.name, report, opened=len(nodes) <= _MOST_OPEN)
    yield '<p class="dim">losses: times that the link was lost in service; damaged: packets damaged or '
    yield "repeated since the card was started</p>"
    yield "</html>\n"


def _nodes(nodes: Sequence[NodeScope], report: NetworkReport) -> str:
    titles = ("node", "address", "host name", "driver", "firmware", "runtime", "image", "clock", "disks free")
    rows = []
    for node in nodes:
        facts = report.facts.get(node.name)
        rows.append((node.name, node.address or "-", *(_of_node(facts) if facts else ("not known",) * 7)))
    return table(titles, rows, ("", "n", "", "n", "n", "n", "", "n", ""))


def _of_node(facts: NodeFacts) -> tuple[str, ...]:
    disks = facts.disks
    return (
        _said(facts.hostname),
        _said(facts.driver),
        _said(facts.firmware),
        _said(facts.runtime),
        _said(facts.image).removeprefix("sha256:")[:16],
        _said(facts.clock) if isinstance(facts.clock, Unread) else f"{sum(facts.clock) / 2:+.1f} s",
        _said(disks)
        if isinstance(disks, Unread)
        else ", ".join(f"{disk.path}: {disk.free / 1e9:,.1f} GB" for disk in disks),
    )


def _cards(name: str, report: NetworkReport, *, opened: bool) -> str:
    facts = report.facts.get(name)
    if facts is None or not facts.cards:
        return f"<p>{safe(name)}: nothing is known of its cards</p>"
    found = [finding for finding in report.findings if finding.node == name]
    rows = [_card(card, found) for _, card in sorted(facts.cards.items())]
    inner = table((*_CARDS, "verdict"), rows, ("n", "n", "", "", *("n",) * 7, "", "n"))
    return f"<details{' open' if opened else ''}><summary>{safe(name)}</summary>{inner}</details>"


def _card(card: CardFacts, found: Sequence[Finding]) -> tuple[object, ...]:
    verdict = worst(finding for finding in found if finding.device == card.card)
    facts = (
        *(card.link, card.address, card.gateway, card.tls, card.net_health),
        *(card.speed, card.mtu, card.lldp, card.history, card.counters, card.optics),
    )
    said = [_said(fact) for fact in facts]
    if isinstance(card.speed, int):
        said[5] = f"{card.speed // 1000} Gb/s"
    return (card.card, *said, badge(verdict.word, _WORDS))


def _said(fact: object) -> str:
    """A fact in a few words; what could not be read says so."""
    match fact:
        case Unread():
            return f"not known: {fact.text}"
        case None:
            return "none"
        case DeviceAddress():
            return f"{fact.address} {fact.netmask}"
        case Gateway():
            return fact.address
        case Tls():
            return "no certificate" if fact.switch is None else str(fact.switch)
        case Neighbour():
            return fact.port
        case Version():
            return fact.version
        case LinkHistory():
            return str(len(fact.flaps))
        case Counters():
            return f"{sum(fact.errors.values()):,}"
        case Optics():
            return _optics(fact)
        case _:
            return str(fact)


def _optics(optics: Optics) -> str:
    if not optics.present and not optics.tx:
        return "no module"
    wrong = [*optics.outside, *(f"{flag} is raised" for flag in optics.lost)]
    return wrong[0] if wrong else "within its limits" if not optics.untold else "not all told"
