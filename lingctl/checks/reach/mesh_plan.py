"""The mesh: which card pings which. Pure.

``rotation``: each card pings the card of its own index on every other node, and one card of another index
there, which rotates with the distance; so every ordered pair of nodes is tried by every card, along its rail
and across. ``full``: every card pings every card of every other node. Cards of one node are never paired:
on a direct cable, or as two dies of one A3 package, they cannot reach each other although all is well
(captures of such servers; HIXL's documents).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lingctl.ascend.cards.hccn import DeviceAddress, Gateway, IpNetwork
from lingctl.ascend.cards.npu_smi import PodPlace
from lingctl.ascend.cards.vnic import Vnic
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import CardPlace, Scope

Mode = Literal["off", "rotation", "full"]
Plane = Literal["roce", "hccs"]
PodAndServer = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shot:
    """One ping from a card to a card of another node."""

    source: CardPlace
    target: CardPlace
    address: str
    plane: Plane = "roce"  # ``roce``, or ``hccs`` inside an A3 super-pod, where vNIC addresses are pinged


def plan_mesh(scope: Scope, facts: Mapping[str, NodeFacts], mode: Mode) -> dict[str, list[Shot]]:
    """What each node's cards have to ping, nearest nodes first, so that a time limit cuts the least."""
    sides = [_side(facts[node.name]) for node in scope.nodes if node.name in facts]
    if mode == "off":
        return {side.node: [] for side in sides}
    return {
        side.node: [
            shot
            for distance in range(1, len(sides))
            for shot in _between(side, sides[(index + distance) % len(sides)], distance, mode)
        ]
        for index, side in enumerate(sides)
    }


@dataclass(frozen=True, slots=True)
class _Card:
    """A card that can ping and be pinged."""

    place: CardPlace
    address: DeviceAddress
    network: IpNetwork | None
    gateway: bool  # whether it has one


@dataclass(frozen=True, slots=True)
class _Side:
    """A node of the mesh; each is looked at once, for it is paired with every other."""

    node: str
    ready: Mapping[int, _Card]
    pod: PodAndServer | None  # its super-pod and its server there, where these are known
    vnics: Mapping[int, str]  # address of each die that has one
    places: Mapping[int, CardPlace]  # of all that were asked about the super-pod


def _side(facts: NodeFacts) -> _Side:
    ready = {
        card: _Card((facts.node, card), seen.address, seen.address.network, isinstance(seen.gateway, Gateway))
        for card, seen in facts.cards.items()
        if isinstance(seen.address, DeviceAddress) and seen.link == "UP"
    }
    # A vNIC address repeats in every super-pod: it names a die only inside one, and on another server.
    vnics = {card: seen.vnic.address for card, seen in facts.pod.items() if isinstance(seen.vnic, Vnic)}
    places = {card: (facts.node, card) for card in facts.pod}
    return _Side(facts.node, ready, _pod(facts), vnics, places)


def _between(source: _Side, target: _Side, distance: int, mode: Mode) -> Iterator[Shot]:
    if _in_one_pod(source.pod, target.pod):
        for card, other in _pairs(list(source.places), list(target.vnics), distance, mode):
            yield Shot(source.places[card], target.places[other], target.vnics[other], "hccs")
        return
    for card, other in _pairs(list(source.ready), list(target.ready), distance, mode):
        if _has_way(source.ready[card], target.ready[other]):
            aim = target.ready[other]
            yield Shot(source.ready[card].place, aim.place, aim.address.address)


def _pod(facts: NodeFacts) -> PodAndServer | None:
    places = {
        (seen.place.pod, seen.place.server) for seen in facts.pod.values() if isinstance(seen.place, PodPlace)
    }
    return places.pop() if len(places) == 1 else None


def _in_one_pod(one: PodAndServer | None, other: PodAndServer | None) -> bool:
    return one is not None and other is not None and one[0] == other[0] and one[1] != other[1]


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


def _has_way(source: _Card, target: _Card) -> bool:
    """Whether packets can go there at all: inside one subnet, or over a gateway."""
    if source.address.family != target.address.family:
        return False
    return source.gateway or (source.network is not None and target.address.parsed in source.network)
