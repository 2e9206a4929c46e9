"""The mesh: which card pings which, and what the answers say about cards and pairs. Pure.

``rotation``: each card pings the card of its own index on every other node, and one card of another index
there, which rotates with the distance; so every ordered pair of nodes is tried by every card, along its rail
and across. ``full``: every card pings every card of every other node. Cards of one node are never paired:
on a direct cable, or as two dies of one A3 package, they cannot reach each other although all is well
(captures of such servers; HIXL's documents).
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.hccn import Address, Gateway
from lingctl.ascend.npu_smi import PodPlace
from lingctl.ascend.ping import Ping
from lingctl.ascend.unread import Unread
from lingctl.ascend.vnic import Vnic
from lingctl.checks.remedies import clauses, tool
from lingctl.checks.scope import Scope
from lingctl.findings import Finding, Verdict

Mode = Literal["off", "rotation", "full"]
Plane = Literal["roce", "hccs"]
Place = tuple[str, int]
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Shot:
    """One ping from a card to a card of another node.

    Attributes:
        plane: ``roce``, or ``hccs`` inside an A3 super-pod, where vNIC addresses are pinged.
    """

    source: Place
    target: Place
    address: str
    plane: Plane = "roce"


@dataclass(frozen=True, slots=True)
class Hit:
    """A shot and what came of it.

    Attributes:
        small: the same with small packets, tried where the first one failed.
    """

    shot: Shot
    ping: Ping | Unread
    small: Ping | Unread | None = None

    @property
    def ok(self) -> bool:
        """Whether every packet came back."""
        return isinstance(self.ping, Ping) and self.ping.ok


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


def mesh_findings(
    scope: Scope, facts: Mapping[str, NodeFacts], hits: Sequence[Hit], left_out: int
) -> Iterator[Finding]:
    """What the pings say.

    Args:
        scope: what is checked.
        facts: of every node that answered.
        hits: pings that were made.
        left_out: pings that the time limit cut.
    """
    tried: Counter[Place] = Counter()
    failed: dict[Place, list[Hit]] = defaultdict(list)
    for hit in hits:
        for place in (hit.shot.source, hit.shot.target):
            tried[place] += 1
            if not hit.ok:
                failed[place].append(hit)
    # A card that fails with every partner is the cause; its partners are not blamed for it.
    dead = {place for place, bad in failed.items() if len(bad) == tried[place] and len(_partners(bad)) > 1}
    if not dead:
        dead = {place for place, bad in failed.items() if len(bad) == tried[place] and len(bad) > 2}
    deaf = _deaf(hits) - dead
    for node in scope.nodes:
        if node.name not in facts:
            continue
        for card in node.cards:
            place = (node.name, card)
            if not tried[place]:
                yield Finding(
                    "ping", Verdict.NOTE, f"not tried: {_why_not(facts[node.name], card, left_out)}", *place
                )
            elif place in dead:
                yield _dead(place, failed[place], _dead_words(failed[place]))
            elif place in deaf:
                inbound = [hit for hit in failed[place] if hit.shot.target == place]
                yield _dead(place, inbound, f"{_deaf_words(inbound)}, though it reaches others")
            else:
                blamed = [hit for hit in failed[place] if _blames(hit, place, dead | deaf)]
                yield _partly(place, tried[place], blamed)
    if left_out:
        yield Finding(
            "ping",
            Verdict.NOTE,
            f"not judged: {left_out} pings of the mesh were cut by the time limit",
            remedy="lingctl check-network --mesh-seconds 3600",
        )


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
        if isinstance(address, Address) and _has_way(ready[card], others[other]):
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
        if isinstance(seen.address, Address) and seen.link == "UP"
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
    if not isinstance(source.address, Address) or not isinstance(target.address, Address):
        return False
    if source.address.family != target.address.family:
        return False
    network = source.address.network
    inside = network is not None and ipaddress.ip_address(target.address.address) in network
    return inside or isinstance(source.gateway, Gateway)


def _partners(hits: Sequence[Hit]) -> set[Place]:
    return {place for hit in hits for place in (hit.shot.source, hit.shot.target)}


def _blames(hit: Hit, place: Place, dead: set[Place]) -> bool:
    return hit.shot.source == place and hit.shot.target not in dead


def _deaf(hits: Sequence[Hit]) -> set[Place]:
    """Cards that several others tried, and none reached."""
    asked: dict[Place, set[Place]] = defaultdict(set)
    answered: set[Place] = set()
    for hit in hits:
        asked[hit.shot.target].add(hit.shot.source)
        if hit.ok:
            answered.add(hit.shot.target)
    return {place for place, sources in asked.items() if len(sources) > 1 and place not in answered}


def _dead(place: Place, bad: Sequence[Hit], text: str) -> Finding:
    return Finding("ping", _verdict(bad), text, *place, _evidence(bad), _remedy(place, bad))


def _silent(bad: Sequence[Hit]) -> bool:
    """Whether not one packet came back. Of a ping without a count that is not known."""
    return all(isinstance(hit.ping, Ping) and hit.ping.sent and not hit.ping.received for hit in bad)


def _dead_words(bad: Sequence[Hit]) -> str:
    if _silent(bad):
        return f"reaches no other card and none reaches it ({len(bad)} pings)"
    return f"none of the {len(bad)} pings from and to it is {_answered(bad)}"


def _deaf_words(bad: Sequence[Hit]) -> str:
    if _silent(bad):
        return f"no other card reaches it ({len(bad)} pings)"
    return f"none of the {len(bad)} pings to it is {_answered(bad)}"


def _answered(bad: Sequence[Hit]) -> str:
    return (
        "answered in full"
        if all(isinstance(hit.ping, Ping) for hit in bad)
        else "known to be answered in full"
    )


def _partly(place: Place, tried: int, bad: Sequence[Hit]) -> Finding:
    if not bad:
        return Finding("ping", Verdict.PASS, f"{tried} pings from and to it answered", *place)
    names = [f"{hit.shot.target[0]} card {hit.shot.target[1]}" for hit in bad]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    whom = f"{', '.join(names[:_MOST_NAMED])}{more}"
    text = f"{'gets no answer' if _silent(bad) else 'gets no full answer'} from {whom}"
    if not any(isinstance(hit.ping, Ping) for hit in bad):
        text = f"its pings to {whom} have no result that can be read"
    return Finding(
        "ping",
        _verdict(bad),
        text,
        *place,
        _evidence(bad),
        _remedy(place, bad),
    )


def _verdict(bad: Sequence[Hit]) -> Verdict:
    if all(isinstance(hit.ping, Unread) and hit.ping.reason in ("unsupported", "denied") for hit in bad):
        return Verdict.NOTE
    return Verdict.FAILURE if any(isinstance(hit.ping, Ping) for hit in bad) else Verdict.UNKNOWN


def _evidence(bad: Sequence[Hit]) -> str:
    lines = []
    for hit in bad[:_MOST_NAMED]:
        (node, card), address = hit.shot.source, hit.shot.address
        seen = hit.ping
        said = seen.said if isinstance(seen, Ping) else f"{seen.text} {seen.quote}".strip()
        query = "ping" if hit.shot.plane == "roce" else "hccs_ping"
        lines.append(f"{node}: hccn_tool -i {card} -{query} -g address {address}: {said}")
    return "\n".join(lines)


def _remedy(place: Place, bad: Sequence[Hit]) -> str:
    n = place[1]
    if any(isinstance(hit.small, Ping) and hit.small.ok for hit in bad):
        return (
            "64-byte packets pass and 4096-byte ones do not, so the MTU on the way is too small; compare: "
            f"{tool(n, '-mtu -g')}; with the switch's frame size"
        )
    looks = (tool(n, words) for words in ("-arp -g", "-route -g", "-gateway -g"))
    return clauses(*looks, "then look at VLAN and cable of this port")


def _why_not(facts: NodeFacts, card: int, left_out: int) -> str:
    seen = facts.cards.get(card)
    if seen is None or isinstance(seen.link, Unread):
        return "its link is not known"
    if seen.link == "DOWN":
        return "its link is down"
    if isinstance(seen.address, Unread):
        return "its address is not known"
    if seen.address is None:
        return "it has no address"
    return "the time limit came first" if left_out else "no other node has a card that it could reach"
