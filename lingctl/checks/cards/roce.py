"""The RoCE port of one card: link, address, TLS, net_health, netdetect, gateway, neighbour, MTU.

Sources: the published hccn_tool (`hicann/driver`) for states, reserved subnets and what a fix is called;
DCMI's documents for the meaning of net_health's states; the HCCL guide for TLS.
"""

from __future__ import annotations

import ipaddress

from lingctl.ascend.cards.hccn import DeviceAddress, Gateway, Neighbour, Tls
from lingctl.ascend.facts import CardFacts
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.judge import judge_of
from lingctl.checks.cards.surroundings import Surroundings
from lingctl.checks.remedies import clauses, restore, set_gateway, set_mtu, set_netdetect, tool
from lingctl.findings import Finding, Subject, Verdict

UNSET = "0.0.0.0"  # noqa: S104  (how hccn_tool prints "none", not a bind)
_HEALTH_WORDS = {
    "Socket fail": "the card cannot open a socket for the probe",
    "Receive timeout": "the netdetect address does not reply",
    "Unreachable": "the netdetect address cannot be reached",
    "Time exceeded": "sending the probe took too long",
    "Fault": "the probe cannot be sent",
    "Thread error": "the card's probe task is not running",
}


def without_roce(generation: str, card: CardFacts) -> bool:
    """Whether the card's RoCE plane is simply not set up, as is usual inside one A3 super-pod."""
    return generation == "A3" and card.link == "DOWN" and card.address is None


@judge_of("link", lambda card: card.link)
def judge_link(of: Subject, link: str, card: CardFacts) -> Finding:
    """The port's carrier."""
    n = card.card
    if link == "UP":
        return of.passes("up")
    return of.failure(
        "the port is down",
        evidence=f"hccn_tool -i {n} -link -g: link status: DOWN",
        remedy=clauses(
            tool(n, "-link -s up"),
            f"if it stays down: {restore(n)}",
            f"then look: {tool(n, '-optical -g')}",
            tool(n, "-speed -g"),
            "and at the switch port",
        ),
    )


@judge_of("tls", lambda card: card.tls)
def judge_tls(of: Subject, tls: Tls, card: CardFacts) -> Finding:
    """The TLS switch of one card; whether all agree is judged over the cluster."""
    fix = "lingctl check-network --fix-tls 0; or install new certificates on the card"
    if tls.effective and tls.expired is None:
        return _untold_certificates(of, card.card, tls)
    if tls.effective and tls.expired:
        return of.failure("TLS is on and a certificate has expired", remedy=fix)
    verdict = Verdict.NOTE if tls.switch is None else Verdict.PASS
    return of.finding(verdict, _tls_words(tls))


def _untold_certificates(of: Subject, card: int, tls: Tls) -> Finding:
    """TLS is on, and it is not known whether its certificates are valid. Drivers that name no
    ``preconfigured`` field do not tell; the others do."""
    older = tls.preset is None and bool(tls.issuers)
    return of.finding(
        Verdict.NOTE if older else Verdict.UNKNOWN,
        "on; not judged: the answer does not tell whether its certificates are valid",
        remedy=f"compare each end_time with the date: {tool(card, '-tls -g')}",
    )


@judge_of("net-health", lambda card: card.net_health)
def judge_health(of: Subject, state: str, card: CardFacts, around: Surroundings) -> Finding:
    """What the card's own probe to its netdetect address says. It says nothing about other servers."""
    n = card.card
    seen = f"hccn_tool -i {n} -net_health -g: net health status: {state}"
    if state == "Success":
        return of.passes("its netdetect address replies")
    if card.netdetect == UNSET:
        return of.note("not judged: no netdetect address is set", evidence=seen)
    if card.link == "DOWN" or card.address is None:
        why = "the link is down" if card.link == "DOWN" else "no address is set"
        return of.note(f"{state}, because {why}", evidence=seen)
    if state in ("Init", "Detect ip set"):
        return of.warning(
            f"still {state!r} after several looks: the probe has not begun",
            evidence=seen,
            remedy=_set_netdetect(of.node, card, around),
        )
    if state == "Unknown":
        return of.unknown("the tool does not know", evidence=seen)
    asked = card.netdetect if isinstance(card.netdetect, str) else "not readable"
    return of.failure(
        f"{state}: {_HEALTH_WORDS[state]}",
        evidence=f"{seen}\nnetdetect: {asked}",
        remedy=clauses(
            f"if the target is wrong, {_set_netdetect(of.node, card, around)}",
            f"else look at gateway and VLAN: {tool(n, '-gateway -g')}",
            tool(n, "-arp -g"),
        ),
    )


def _set_netdetect(node: str, card: CardFacts, around: Surroundings) -> str:
    target = around.netdetect_for(node, card)
    if target and target != card.netdetect:
        return f"set it: {set_netdetect(card.card, target)}"
    return "set the gateway of the card's subnet, or another card in it, as its netdetect address"


@judge_of("netdetect", lambda card: card.netdetect)
def judge_netdetect(of: Subject, target: str, card: CardFacts, around: Surroundings) -> Finding:
    """The target of the card's own probe."""
    fix = _set_netdetect(of.node, card, around)
    if target == UNSET:
        return of.warning("none is set, so net_health means nothing", remedy=fix)
    gateway = card.gateway.address if isinstance(card.gateway, Gateway) else None
    network = card.address.network if isinstance(card.address, DeviceAddress) else None
    if target == gateway or (network is not None and ipaddress.ip_address(target) in network):
        return of.passes(target)
    if network is None:
        return of.note(f"{target}: not judged without an address")
    return of.warning(f"{target} is neither the gateway nor in the card's subnet {network}", remedy=fix)


@judge_of("gateway", lambda card: card.gateway)
def judge_gateway(of: Subject, gateway: Gateway | None, card: CardFacts, around: Surroundings) -> Finding:
    """The card's default route."""
    n = card.card
    needed = (of.node, n) in around.across
    right = around.gateway_for(of.node, card)
    fix = (
        set_gateway(n, right)
        if right
        else "set the gateway of the card's subnet: whoever runs the switch knows"
    )
    if gateway is None:
        if needed:
            text = "none is set, and the cards of the cluster are in different subnets"
            return of.failure(text, remedy=fix)
        if around.most_have_gateway:
            return of.warning("none is set, though most cards have one", remedy=fix)
        return of.note("none is set; inside one subnet none is needed")
    network = card.address.network if isinstance(card.address, DeviceAddress) else None
    if network is not None and ipaddress.ip_address(gateway.address) not in network:
        text = f"{gateway.address} is not in the card's subnet {network}"
        return of.finding(Verdict.FAILURE if needed else Verdict.WARNING, text, remedy=fix)
    if gateway.interface and gateway.interface != f"eth{n}":
        return of.warning(f"{gateway.address} goes over {gateway.interface} instead of eth{n}", remedy=fix)
    if isinstance(card.address, Unread):
        return of.note(f"{gateway.address}: not judged, for the card's subnet is not known")
    return of.passes(gateway.address)


@judge_of("lldp", lambda card: card.lldp, optional=True)
def judge_neighbour(of: Subject, heard: Neighbour | None, card: CardFacts) -> Finding:
    """Which switch port the card hears at the other end of its cable."""
    if heard is not None:
        return of.passes(" ".join((heard.kind, heard.port)).strip())
    if card.link == "DOWN":
        return of.note("nothing is heard, because the link is down")
    return of.warning(
        "nothing is heard from the other end, though the link is up",
        remedy="on the switch: lldp enable; split a 400GE port that carries two cards; the data plane does "
        "not need it",
    )


@judge_of("mtu", lambda card: card.mtu, optional=True)
def judge_mtu(of: Subject, mtu: int, card: CardFacts) -> Finding:
    """The card's MTU against the largest frame that its switch port announces."""
    largest = card.lldp.max_frame if isinstance(card.lldp, Neighbour) else None
    if largest is not None and mtu > largest:
        return of.warning(
            f"{mtu} is more than the {largest} bytes that the switch port takes",
            remedy=clauses(set_mtu(card.card, largest), "or raise the largest frame of the switch"),
        )
    return of.passes(str(mtu))


def _tls_words(tls: Tls) -> str:
    if tls.switch is None:
        return "off: no certificate is installed"
    return "on" if tls.switch else "off"
