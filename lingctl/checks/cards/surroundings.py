"""What all cards tell about one: whether it needs a gateway, and which values it lacks that others have."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from lingctl.ascend.cards.hccn import DeviceAddress, Gateway
from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.scope import CardPlace
from lingctl.ascend.unread import Unread


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All cards together."""

    # cards that have to reach a card outside their own subnet, and so need a gateway
    across: frozenset[CardPlace] = frozenset()
    gateways: Counter[str] = field(default_factory=Counter)  # how many cards have each gateway
    netdetects: Counter[str] = field(default_factory=Counter)  # how many cards have each netdetect address
    most_have_gateway: bool = False  # whether more than half of the cards that tell have one
    # each card's lines of /etc/hccn.conf
    written: Mapping[CardPlace, Mapping[str, str]] = field(default_factory=dict)

    def gateway_for(self, node: str, card: CardFacts) -> str:
        """The gateway that a card should have: as in its hccn.conf, else as cards of its subnet have it."""
        return self._within(card, self.written.get((node, card.card), {}).get("gateway", ""), self.gateways)

    def netdetect_for(self, node: str, card: CardFacts) -> str:
        """A target for its probe: its gateway, else as in its hccn.conf or as cards of its subnet have it."""
        if isinstance(card.gateway, Gateway) and self._within(card, card.gateway.address, Counter()):
            return card.gateway.address
        written = self.written.get((node, card.card), {}).get("netdetect", "")
        return self._within(card, written, self.netdetects) or self.gateway_for(node, card)

    def _within(self, card: CardFacts, first: str, others: Counter[str]) -> str:
        network = card.address.network if isinstance(card.address, DeviceAddress) else None
        for text in (first, *(address for address, _ in others.most_common())):
            try:
                if text and network is not None and ipaddress.ip_address(text) in network:
                    return text
            except ValueError:
                continue
        return ""


def surroundings_of(facts: Mapping[str, NodeFacts]) -> Surroundings:
    """What all nodes' cards tell together."""
    cards = {(node.node, card): seen for node in facts.values() for card, seen in node.cards.items()}
    gateways = [seen.gateway for seen in cards.values() if not isinstance(seen.gateway, Unread)]
    having = [gateway.address for gateway in gateways if gateway is not None]
    targets = [seen.netdetect for seen in cards.values() if isinstance(seen.netdetect, str)]
    return Surroundings(
        _across(cards),
        Counter(having),
        Counter(target for target in targets if target != "0.0.0.0"),  # noqa: S104  (compared, not bound)
        2 * len(having) > len(gateways),
        {
            (node.node, card): lines
            for node in facts.values()
            if not isinstance(node.conf, Unread)
            for card, lines in node.conf.items()
        },
    )


def _across(cards: Mapping[CardPlace, CardFacts]) -> frozenset[CardPlace]:
    rails: dict[int, list[tuple[CardPlace, DeviceAddress]]] = defaultdict(list)
    for place, seen in cards.items():
        if isinstance(seen.address, DeviceAddress):
            rails[place[1]].append((place, seen.address))
    found: set[CardPlace] = set()
    for rail in rails.values():
        # The cards of a rail are mostly of one subnet: each subnet is held against all of them once.
        networks = {own.network for _, own in rail if own.network is not None}
        left = {net for net in networks if any(other.parsed not in net for _, other in rail)}
        found |= {place for place, own in rail if own.network in left}
    return frozenset(found)
