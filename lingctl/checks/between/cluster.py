"""What must agree across the nodes, and what must differ.

Sources: the HCCL guide (TLS, address families, ranks that differ in version), MindIE's page on several nodes
(default sampling parameters).
"""

from __future__ import annotations

import ipaddress
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from lingctl.ascend.cards.hccn import DeviceAddress, Neighbour, Tls
from lingctl.ascend.cards.npu_smi import NpuTable
from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.ascend.versions import Version, fits_firmware, is_older
from lingctl.checks.between.agreement import NodeOrCard, Same, judge_same, majority, words
from lingctl.checks.between.clocks import clock_findings
from lingctl.checks.between.same_files import same_file_findings
from lingctl.checks.cards.super_pod import pod_findings
from lingctl.checks.remedies import clauses, set_address, set_mtu, set_tls
from lingctl.findings import Finding, Subject, Verdict


def cluster_findings(facts: Mapping[str, NodeFacts], scope: Scope) -> Iterator[Finding]:
    """Everything that one node alone cannot show."""
    nodes = [facts[node.name] for node in scope.nodes if node.name in facts]
    yield from _addresses(nodes)
    yield from _tls(nodes)
    yield from _equal_on_cards(nodes)
    yield from _switch_ports(nodes)
    yield from pod_findings(nodes)
    if len(nodes) > 1:
        yield from _equal_on_nodes(nodes, scope)
        yield from _hostnames(nodes)
        yield from same_file_findings(nodes, scope)
        yield from clock_findings({node.node: node.clock for node in nodes})


def _addresses(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    owners: dict[str, list[NodeOrCard]] = defaultdict(list)
    families: dict[NodeOrCard, Hashable] = {}
    for place, address in _cards(nodes, lambda card: card.address):
        if isinstance(address, DeviceAddress):
            owners[str(ipaddress.ip_address(address.address))].append(place)
            families[place] = f"IPv{address.family}"
    for address_text, places in owners.items():
        for place in places if len(places) > 1 else ():
            yield Finding(
                "ip-unique",
                Verdict.FAILURE,
                f"{address_text} is also the address of {words([one for one in places if one != place])}",
                *place,
                remedy="give one of them an address that no card has, with hccn_tool's option -ip -s",
            )
    if owners and all(len(places) == 1 for places in owners.values()):
        yield Finding("ip-unique", Verdict.PASS, f"{len(owners)} addresses, all different")
    same = Same(
        "ip-family",
        Verdict.FAILURE,
        "another address family than most cards: HCCL refuses to mix them with EI0001",
        "cards have IPv4 and IPv6 addresses, which HCCL refuses to mix (EI0001)",
        lambda place, family: f"give it an {family} address",
    )
    if len(set(families.values())) > 1:
        yield from judge_same(same, families)


def _tls(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    seen = dict(_cards(nodes, lambda card: card.tls))
    known = {place: tls for place, tls in seen.items() if isinstance(tls, Tls)}
    switches: dict[NodeOrCard, Hashable] = {
        place: "on" if tls.effective else "off" for place, tls in known.items()
    }
    if set(switches.values()) == {"on"}:
        yield from _same_issuers(known)
        return
    fix_all = "lingctl check-network --fix-tls"

    def fix(place: NodeOrCard, switch: Hashable) -> str:
        value = int(switch == "on")
        return clauses(f"{fix_all} {value}", f"or on the node: {set_tls(place[1] or 0, value)}")

    same = Same(
        "tls-same",
        Verdict.FAILURE,
        "its TLS switch is not as on most cards: they cannot talk",
        "TLS is on on some cards and off on as many, and they cannot talk",
        fix,
    )
    for finding in judge_same(same, switches, list(seen)):
        if finding.node or finding.verdict <= Verdict.NOTE:
            yield finding
        else:
            remedy = clauses(f"as MindIE's guides ask: {fix_all} 0", f"or as HCCL's do: {fix_all} 1")
            yield Finding(finding.check, finding.verdict, finding.message, remedy=remedy)


def _same_issuers(known: Mapping[NodeOrCard, Tls]) -> Iterator[Finding]:
    issuers: dict[NodeOrCard, Hashable] = {place: tls.issuers for place, tls in known.items() if tls.issuers}
    if len(set(issuers.values())) > 1:
        off = "lingctl check-network --fix-tls 0; or install certificates of one authority"
        same = Same(
            "tls-same",
            Verdict.FAILURE,
            "TLS is on everywhere, but this card's certificates come from another issuer than most",
            "TLS is on everywhere, but the certificates come from different issuers",
            lambda place, issuer: off,
        )
        yield from judge_same(same, issuers)
    else:
        yield Finding(
            "tls-same",
            Verdict.NOTE,
            "on on every card; MindIE's guides ask for 0, HCCL's for 1",
            remedy="to turn it off everywhere: lingctl check-network --fix-tls 0",
        )


def _equal_on_cards(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    mtu = Same(
        "mtu-same",
        Verdict.FAILURE,
        "another MTU than most cards",
        "the cards' MTUs differ",
        lambda place, value: set_mtu(place[1] or 0, str(value)),
    )
    speed = Same(
        "speed-same",
        Verdict.WARNING,
        "another speed than most cards",
        "the cards' speeds (Mb/s) differ",
        lambda place, value: f"look at cable and switch port: hccn_tool -i {place[1]} -optical -g",
    )
    for same, pick in ((mtu, lambda card: card.mtu), (speed, lambda card: card.speed)):
        seen = dict(_cards(nodes, pick))
        numbers = {place: value for place, value in seen.items() if isinstance(value, int)}
        # A driver without the query is noted card by card.
        yield from judge_same(same, numbers, [place for place in seen if seen[place] is not None])
    yield from _netmasks(nodes)


def _netmasks(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    """A rail is the cards of one index; its masks must agree, other rails may differ. With two nodes no mask
    of a rail is in the majority: then the cards of the other rails decide."""
    seen = dict(_cards(nodes, lambda card: card.address))
    known = {place: address for place, address in seen.items() if isinstance(address, DeviceAddress)}
    everywhere = majority([address.netmask for address in known.values()])

    def fix(place: NodeOrCard, mask: Hashable) -> str:
        return set_address(place[1] or 0, known[place].address, str(mask))

    same = Same(
        "netmask-same",
        Verdict.FAILURE,
        "another netmask than the cards it has to reach",
        "the netmasks of the cards of one index differ",
        fix,
        otherwise=everywhere,
    )
    for card in sorted({place[1] for place in known if place[1] is not None}):
        rail: dict[NodeOrCard, Hashable] = {
            place: address.netmask for place, address in known.items() if place[1] == card
        }
        yield from (found for found in judge_same(same, rail) if found.verdict is not Verdict.PASS)


def _switch_ports(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    ports: dict[tuple[str, str], list[NodeOrCard]] = defaultdict(list)
    for place, heard in _cards(nodes, lambda card: card.lldp):
        if isinstance(heard, Neighbour) and heard.chassis.strip("."):
            ports[heard.chassis, heard.port].append(place)
    for (_, port), places in ports.items():
        for place in places if len(places) > 1 else ():
            others = words([other for other in places if other != place])
            yield Finding(
                "switch-port",
                Verdict.WARNING,
                f"hears the same switch port {port} as {others}",
                *place,
                remedy="two cards cannot be on one port: look at the cables, or wait 30 s for LLDP to settle",
            )
    if ports and all(len(places) == 1 for places in ports.values()):
        yield Finding("switch-port", Verdict.PASS, f"{len(ports)} ports, all different")


def _equal_on_nodes(nodes: Sequence[NodeFacts], scope: Scope) -> Iterator[Finding]:
    by_name = {facts.node: facts for facts in nodes}
    asked: list[NodeOrCard] = [(name, None) for name in by_name]
    drivers: dict[NodeOrCard, Hashable] = {}
    for facts in nodes:
        if isinstance(facts.driver, Version):
            drivers[facts.node, None] = facts.driver.version
        elif isinstance(facts.npus, NpuTable):
            drivers[facts.node, None] = facts.npus.driver
    firmwares: dict[NodeOrCard, Hashable] = {
        (facts.node, None): facts.firmware.version for facts in nodes if isinstance(facts.firmware, Version)
    }
    images: dict[NodeOrCard, Hashable] = {
        (facts.node, None): facts.image for facts in nodes if isinstance(facts.image, str)
    }

    def serves(place: NodeOrCard, version: Hashable) -> bool | None:
        return not is_older(str(version), scope.driver) if scope.driver else None

    def works(place: NodeOrCard, version: Hashable) -> bool | None:
        driver = by_name[place[0]].driver
        return fits_firmware(driver, Version(str(version))) if isinstance(driver, Version) else None

    def load(place: NodeOrCard, image: Hashable) -> str:
        source = next((name for (name, _), value in images.items() if value == image), "")
        run = scope.runtime.program
        return f"ssh {scope.node(source).address} {run} save {shlex.quote(scope.image)} | {run} load"

    yield from judge_same(
        Same(
            "driver-same",
            Verdict.FAILURE,
            "another driver than the cluster needs to have everywhere",
            "the nodes have different drivers",
            lambda place, version: f"install driver {version} and its firmware, then reboot",
            serves,
        ),
        drivers,
        asked,
    )
    yield from judge_same(
        Same(
            "firmware-same",
            Verdict.FAILURE,
            "another firmware than the cluster needs to have everywhere",
            "the nodes have different firmwares",
            lambda place, version: f"install firmware {version} and its driver, then reboot",
            works,
        ),
        firmwares,
        asked,
    )
    yield from judge_same(
        Same(
            "image-same",
            Verdict.FAILURE,
            "another image under the same name than on most nodes",
            "the nodes have different images under one name",
            load,
        ),
        images,
        [place for place in asked if by_name[place[0]].image is not None],
    )


def _hostnames(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    names = Counter(facts.hostname for facts in nodes if isinstance(facts.hostname, str))
    for facts in nodes:
        of = Subject("hostname", facts.node)
        if isinstance(facts.hostname, Unread):
            yield of.note(f"not judged: {facts.hostname.text}")
        elif names[facts.hostname] > 1:
            text = f"the host name {facts.hostname} is another node's too"
            remedy = f"hostnamectl set-hostname {shlex.quote(facts.node)}"
            yield of.warning(text, remedy=remedy)


def _cards(
    nodes: Sequence[NodeFacts], pick: Callable[[CardFacts], object]
) -> Iterator[tuple[NodeOrCard, object]]:
    for facts in nodes:
        for card, seen in facts.cards.items():
            yield (facts.node, card), pick(seen)
