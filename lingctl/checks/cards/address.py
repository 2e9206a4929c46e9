"""Address and mask of one card.

Source: the published hccn_tool (`hicann/driver`) for the reserved subnets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from lingctl.ascend.cards.hccn import DeviceAddress
from lingctl.ascend.facts import CardFacts
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.judge import not_read
from lingctl.checks.cards.surroundings import Surroundings
from lingctl.checks.remedies import set_address
from lingctl.findings import Finding, Subject
from lingctl.inventory.forms import is_address

# hccn_tool refuses these as addresses of a card: the cards' inner network uses them.
_RESERVED = {
    "A1": ("192.168.1.0/24", "192.168.2.0/24"),
    "A2": ("192.168.1.0/24", "192.168.2.0/24"),
    "A3": ("192.168.0.0/21",),
}


def judge_address(node: str, card: CardFacts, generation: str, around: Surroundings) -> Finding:
    """Address and mask of the card."""
    n, address = card.card, card.address
    of = Subject("ip", node, n)
    if isinstance(address, Unread):
        return not_read(of, address)
    written = around.written.get((node, n), {})
    seen = "" if address is None else f"{address.address} netmask {address.netmask}"
    wrong = "no address is set" if address is None else _wrong_address(address, generation)
    if wrong:
        return of.failure(wrong, evidence=seen, remedy=_set_address(n, address, written, generation))
    if address is not None and not generation and (reserved := _reserved(address, *_RESERVED)):
        text = f"not judged: {reserved} belongs to the inner network on some products, and which one this is "
        return of.unknown(f"{text}is not known", evidence=seen)
    return of.passes(seen)


def _set_address(
    card: int, address: DeviceAddress | None, written: Mapping[str, str], generation: str
) -> str:
    """From hccn.conf if that is sound and not what is live; else nobody but the site knows."""
    if {"address", "netmask"} <= set(written) and is_address(written["address"]):
        kept = DeviceAddress(written["address"], written["netmask"])
        if kept != address and not _wrong_address(kept, generation):
            return f"as /etc/hccn.conf has it: {set_address(card, kept.address, kept.netmask)}"
    return "set an address of the site's plan that no other card has, with hccn_tool's option -ip -s"


def _wrong_address(address: DeviceAddress, generation: str) -> str:
    network = address.network
    if network is None:
        return "the netmask is none: its ones are not contiguous"
    ip = ipaddress.ip_address(address.address)
    if (
        network.version == 4
        and network.prefixlen < 31
        and ip in (network.network_address, network.broadcast_address)
    ):
        return "is the network or the broadcast address of its subnet"
    reserved = _reserved(address, generation)
    return f"is in {reserved}, which the cards' inner network uses" if reserved else ""


def _reserved(address: DeviceAddress, *generations: str) -> str:
    """The subnet that one of these generations reserves and an address is in; empty without one."""
    subnets = (subnet for generation in generations for subnet in _RESERVED.get(generation, ()))
    return next((one for one in subnets if address.parsed in ipaddress.ip_network(one)), "")
