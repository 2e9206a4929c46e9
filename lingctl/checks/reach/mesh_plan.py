"""The mesh: which card pings which. Pure.

``rotation``: each card pings the card of its own index on every other node, and one card of another index
there, which rotates with the distance; so every ordered pair of nodes is tried by every card, along its rail
and across. ``full``: every card pings every card of every other node. Cards of one node are never paired:
on a direct cable, or as two dies of one A3 package, they cannot reach each other although all is well
(captures of such servers; HIXL's documents).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lingctl.ascend.cards.hccn import DeviceAddress, Gateway
from lingctl.ascend.cards.npu_smi import PodPlace
from lingctl.ascend.cards.vnic import Vnic
from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.checks.scope import CardPlace, Scope

Mode = Literal["off", "rotation", "full"]
Plane = Literal["roce", "hccs"]


@dataclass(frozen=True, slots=True)
class Shot:
    """One ping from a card to a card of another node."""

    source: CardPlace
    target: CardPlace
    address: str
    plane: Plane = "roce"  # ``roce``, or ``hccs`` inside an A3 super-pod, where vNIC addresses are pinged


def plan_mesh(scope: Scope, facts: Mapping[str, NodeFacts], mode: Mode) -> dict[str, list[Shot]]:
    """What each node's cards have to ping, nearest nodes first, so that a time limit cuts the least."""
    names = [node.name for node in scope.nodes if node.name in facts]
    shots: dict[str, list[Shot]] = {name: [] for name in names}
    if mode == "off":
        return shots
    for index, name in enumerate(names):
        for distance in range(1, len(names)):
            other = names[(index + distance) % len(names)]
            shots[name] += _between(facts[name], facts[other], distance, mode)
    return shots


def _between(source: NodeFacts, target: NodeFacts, distance: int, mode: Mode) -> Iterator[Shot]:
    # A vNIC address repeats in every super-pod: it names a die only inside one, and on another server.
    inner = same_pod(source, target)
    if inner:
        targets = {
            card: seen.vnic.address for card, seen in target.pod.items() if isinstance(seen.vnic, Vnic)
        }
        for card, other in _pairs(list(source.pod), list(targets), distance, mode):
            yield Shot((source.node, card), (target.node, other), targets[other], "hccs")
        return
    ready, others = _ready(source), _ready(target)
    for card, other in _pairs(list(ready), list(others), distance, mode):
        address = others[other].address
        if isinstance(address, DeviceAddress) and _has_way(ready[card], others[other]):
            yield Shot((source.node, card), (target.node, other), address.address)


def same_pod(one: NodeFacts, other: NodeFacts) -> bool:
    """Whether two A3 servers are known to be different servers of one super-pod."""
    places = [
        {
            (seen.place.pod, seen.place.server)
            for seen in facts.pod.values()
            if isinstance(seen.place, PodPlace)
        }
        for facts in (one, other)
    ]
    if len(places[0]) != 1 or len(places[1]) != 1:
        return False
    (pod, server), (other_pod, other_server) = places[0].pop(), places[1].pop()
    return pod == other_pod and server != other_server


def _ready(facts: NodeFacts) -> dict[int, CardFacts]:
    return {
        card: seen
        for card, seen in facts.cards.items()
        if isinstance(seen.address, DeviceAddress) and seen.link == "UP"
    }


def _pairs(
    sources: Sequence[int], targets: Sequence[int], distance: int, mode: Mode
) -> Iterator[tuple[int, int]]:
    if mode == "full":
        yield from ((source, target) for source in sources for target in targets)
        return
    own = [(source, source) for source in sources if source in targets]
    yield from own
    count = len(targets)
    if not count:
        return
    if count < 2:
        yield from ((source, targets[0]) for source in sources if (source, targets[0]) not in own)
        return
    shift = 1 + (distance - 1) % (count - 1)
    for position, source in enumerate(sources):
        target = targets[(position + shift) % count]
        if (source, target) not in own:
            yield source, target


def _has_way(source: CardFacts, target: CardFacts) -> bool:
    """Whether packets can go there at all: inside one subnet, or over a gateway."""
    if not isinstance(source.address, DeviceAddress) or not isinstance(target.address, DeviceAddress):
        return False
    if source.address.family != target.address.family:
        return False
    network = source.address.network
    inside = network is not None and ipaddress.ip_address(target.address.address) in network
    return inside or isinstance(source.gateway, Gateway)
