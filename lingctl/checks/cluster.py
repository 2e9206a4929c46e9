"""What must agree across the nodes, and what must differ.

Sources: the HCCL guide (TLS, address families, ranks that differ in version), MindIE's page on several nodes
(default sampling parameters).
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from statistics import median

from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.hccn import Address, Gateway, Neighbour, Tls
from lingctl.ascend.npu_smi import NpuTable
from lingctl.ascend.unread import Unread
from lingctl.ascend.versions import Version
from lingctl.checks.scope import Scope
from lingctl.checks.super_pod import pod_findings
from lingctl.findings import Finding, Verdict

Place = tuple[str, int | None]
# Seconds; our own choice, for certificates and for comparing logs.
_CLOCK_WARNING = 2.0
_CLOCK_FAILURE = 60.0


def cluster_findings(facts: Mapping[str, NodeFacts], scope: Scope) -> Iterator[Finding]:
    """Everything that one node alone cannot show."""
    nodes = [facts[node.name] for node in scope.nodes if node.name in facts]
    yield from _addresses(nodes)
    yield from _tls(nodes)
    yield from _equal_on_cards(nodes)
    yield from _switch_ports(nodes)
    yield from pod_findings(nodes)
    if len(nodes) > 1:
        yield from _equal_on_nodes(nodes, scope.runtime.program)
        yield from _digests(nodes, scope)
        yield from _clocks(nodes)


def rails_across_subnets(facts: Mapping[str, NodeFacts]) -> frozenset[int]:
    """Indices whose cards are in different subnets, so that their packets need a gateway."""
    rails: dict[int, set[str]] = defaultdict(set)
    for node in facts.values():
        for card, seen in node.cards.items():
            if isinstance(seen.address, Address) and seen.address.network is not None:
                rails[card].add(str(seen.address.network))
    return frozenset(card for card, networks in rails.items() if len(networks) > 1)


def usual_gateway(facts: Mapping[str, NodeFacts]) -> bool:
    """Whether most cards have a gateway."""
    seen = [card.gateway for node in facts.values() for card in node.cards.values()]
    return 2 * sum(isinstance(gateway, Gateway) for gateway in seen) > len(seen)


def _addresses(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    owners: dict[str, list[Place]] = defaultdict(list)
    families: dict[Place, Hashable] = {}
    for place, address in _cards(nodes, lambda card: card.address):
        if isinstance(address, Address):
            owners[str(ipaddress.ip_address(address.address))].append(place)
            families[place] = f"IPv{address.family}"
    for address_text, places in owners.items():
        for place in places if len(places) > 1 else ():
            others = ", ".join(_words(other) for other in places if other != place)
            yield Finding(
                "ip-unique",
                Verdict.FAILURE,
                f"{address_text} is also the address of {others}",
                *place,
                remedy=f"hccn_tool -i {place[1]} -ip -s address ANOTHER netmask MASK on one of them",
            )
    if owners and all(len(places) == 1 for places in owners.values()):
        yield Finding("ip-unique", Verdict.PASS, f"{len(owners)} addresses, all different")
    yield from _odd_ones(
        "ip-family", families, Verdict.FAILURE, "HCCL refuses mixed families with EI0001", "set them alike"
    )


def _tls(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    known = {place: tls for place, tls in _cards(nodes, lambda card: card.tls) if isinstance(tls, Tls)}
    values = {tls.effective for tls in known.values()}
    if len(values) > 1:
        # On a draw 0 is right: MindIE's guides ask for it.
        on = [place for place, tls in known.items() if tls.effective]
        odd = (
            on if 2 * len(on) <= len(known) else [place for place, tls in known.items() if not tls.effective]
        )
        wrong = 1 if odd == on else 0
        for place in odd:
            yield Finding(
                "tls-same",
                Verdict.FAILURE,
                f"TLS is {'on' if wrong else 'off'} here and {'off' if wrong else 'on'} on most cards: "
                "they cannot talk",
                *place,
                f"tls switch[{wrong}]",
                f"lingctl check-network --fix-tls {1 - wrong}, or on the node: "
                f"hccn_tool -i {place[1]} -tls -s enable {1 - wrong}",
            )
    elif values == {1}:
        yield from _same_issuers(known)
    elif values:
        yield Finding("tls-same", Verdict.PASS, "off on every card")


def _same_issuers(known: Mapping[Place, Tls]) -> Iterator[Finding]:
    issuers = {place: tls.issuers for place, tls in known.items() if tls.issuers}
    if len(set(issuers.values())) > 1:
        yield from _odd_ones(
            "tls-same",
            issuers,
            Verdict.FAILURE,
            "TLS is on everywhere, but the certificates come from different issuers",
            "lingctl check-network --fix-tls 0, or install certificates of one authority",
        )
    else:
        yield Finding(
            "tls-same",
            Verdict.NOTE,
            "on on every card; MindIE's guides ask for 0, HCCL's for 1",
            remedy="lingctl check-network --fix-tls 0 turns it off everywhere",
        )


def _equal_on_cards(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    mtus = {place: mtu for place, mtu in _cards(nodes, lambda card: card.mtu) if isinstance(mtu, int)}
    yield from _odd_ones(
        "mtu-same",
        mtus,
        Verdict.FAILURE,
        "another MTU than most cards",
        "hccn_tool -i CARD -mtu -s value MTU",
    )
    speeds = {
        place: speed for place, speed in _cards(nodes, lambda card: card.speed) if isinstance(speed, int)
    }
    yield from _odd_ones(
        "speed-same",
        speeds,
        Verdict.WARNING,
        "another speed than most cards",
        "look at cable and switch port",
    )
    masks = {
        place: address.netmask
        for place, address in _cards(nodes, lambda card: card.address)
        if isinstance(address, Address)
    }
    # A rail is the cards of one index; its masks must agree, other rails may differ.
    for card in sorted({place[1] for place in masks if place[1] is not None}):
        rail: dict[Place, Hashable] = {place: mask for place, mask in masks.items() if place[1] == card}
        found = list(
            _odd_ones(
                "netmask-same",
                rail,
                Verdict.FAILURE,
                "another netmask than the cards of its index",
                f"hccn_tool -i {card} -ip -s address ADDRESS netmask MASK",
            )
        )
        yield from (finding for finding in found if finding.verdict is not Verdict.PASS)


def _switch_ports(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    ports: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place, heard in _cards(nodes, lambda card: card.lldp):
        if isinstance(heard, Neighbour) and heard.chassis.strip("."):
            ports[heard.chassis, heard.port].append(place)
    for (_, port), places in ports.items():
        for place in places if len(places) > 1 else ():
            others = ", ".join(_words(other) for other in places if other != place)
            yield Finding(
                "switch-port",
                Verdict.WARNING,
                f"hears the same switch port {port} as {others}",
                *place,
                remedy="two cards cannot be on one port: look at the cables, or wait 30 s for LLDP to settle",
            )
    if ports and all(len(places) == 1 for places in ports.values()):
        yield Finding("switch-port", Verdict.PASS, f"{len(ports)} ports, all different")


def _equal_on_nodes(nodes: Sequence[NodeFacts], runtime: str) -> Iterator[Finding]:
    drivers: dict[Place, Hashable] = {}
    firmwares: dict[Place, Hashable] = {}
    images: dict[Place, Hashable] = {}
    for facts in nodes:
        if isinstance(facts.driver, Version):
            drivers[facts.node, None] = facts.driver.version
        elif isinstance(facts.npus, NpuTable):
            drivers[facts.node, None] = facts.npus.driver
        if isinstance(facts.firmware, Version):
            firmwares[facts.node, None] = facts.firmware.version
        if isinstance(facts.image, str):
            images[facts.node, None] = facts.image
    one = "install one release of driver and firmware on every node"
    yield from _odd_ones("driver-same", drivers, Verdict.FAILURE, "another driver than most nodes", one)
    yield from _odd_ones("firmware-same", firmwares, Verdict.FAILURE, "another firmware than most nodes", one)
    load = f"{runtime} save it on one node and {runtime} load it on this one"
    yield from _odd_ones("image-same", images, Verdict.FAILURE, "another image under the same name", load)
    names = Counter(facts.hostname for facts in nodes if isinstance(facts.hostname, str))
    for facts in nodes:
        if isinstance(facts.hostname, str) and names[facts.hostname] > 1:
            text = f"the host name {facts.hostname} is not its own"
            yield Finding(
                "hostname", Verdict.WARNING, text, facts.node, remedy="hostnamectl set-hostname NAME"
            )


def _digests(nodes: Sequence[NodeFacts], scope: Scope) -> Iterator[Finding]:
    for path, what in scope.digests.items():
        seen: dict[Place, Hashable] = {
            (facts.node, None): facts.digests[path]
            for facts in nodes
            if not isinstance(facts.digests, Unread) and path in facts.digests
        }
        # deploy makes weights and overlay alike; sampling defaults it leaves as they were downloaded.
        verdict = Verdict.FAILURE if path.endswith("generation_config.json") else Verdict.WARNING
        yield from _odd_ones(
            "same-files",
            seen,
            verdict,
            f"{what} differs from most nodes: {path}",
            f"copy it from another node: {path}",
        )


def _clocks(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    known = {facts.node: facts.clock for facts in nodes if not isinstance(facts.clock, Unread)}
    for facts in nodes:
        if isinstance(facts.clock, Unread):
            yield Finding("clock", Verdict.UNKNOWN, f"not judged: {facts.clock.text}", facts.node)
    if not known:
        return
    # This machine's own clock (0) is one more witness: of two nodes that differ it tells which is off.
    middle = median([0.0, *((least + most) / 2 for least, most in known.values())])
    for node, (least, most) in known.items():
        # Only what is certain counts: the answer's way takes time too.
        off = max(0.0, least - middle, middle - most)
        verdict = (
            Verdict.FAILURE
            if off > _CLOCK_FAILURE
            else Verdict.WARNING
            if off > _CLOCK_WARNING
            else Verdict.PASS
        )
        text = f"{off:.0f} s off the other nodes" if verdict else "with the others"
        remedy = "chronyc makestep, or: timedatectl set-ntp true" if verdict else ""
        yield Finding("clock", verdict, text, node, remedy=remedy)


def _odd_ones(
    check: str, values: Mapping[Place, Hashable], verdict: Verdict, text: str, remedy: str
) -> Iterator[Finding]:
    """A finding for each place whose value is not the commonest; on a draw the first place is right."""
    if len(values) < 2:
        return
    counts = Counter(values.values())
    if len(counts) == 1:
        yield Finding(check, Verdict.PASS, f"the same everywhere: {_short(next(iter(counts)))}")
        return
    usual = counts.most_common(1)[0][0]
    for place, value in values.items():
        if value != usual:
            seen = f"here {_short(value)}, on most {_short(usual)}"
            yield Finding(check, verdict, text, *place, evidence=seen, remedy=remedy)


def _short(value: Hashable) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _cards(nodes: Sequence[NodeFacts], pick: Callable[[CardFacts], object]) -> Iterator[tuple[Place, object]]:
    for facts in nodes:
        for card, seen in facts.cards.items():
            yield (facts.node, card), pick(seen)


def _words(place: Place) -> str:
    node, card = place
    return node if card is None else f"{node} card {card}"
