"""What the pings of the mesh say about cards and pairs of cards. Pure; ``mesh_plan`` says which are made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import CardPlace, Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.reach.mesh_plan import Shot
from lingctl.checks.remedies import clauses, tool
from lingctl.findings import Finding, Subject, Verdict

_MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Hit:
    """A shot and what came of it."""

    shot: Shot
    ping: Ping | Unread
    small: Ping | Unread | None = None  # the same with small packets, tried where the first one failed

    @property
    def ok(self) -> bool:
        """Whether every packet came back."""
        return isinstance(self.ping, Ping) and self.ping.ok


def mesh_findings(
    scope: Scope, facts: Mapping[str, NodeFacts], hits: Sequence[Hit], left_out: int
) -> Iterator[Finding]:
    """What the pings say; ``left_out`` were cut by the time limit."""
    tried: Counter[CardPlace] = Counter()
    failed: dict[CardPlace, list[Hit]] = defaultdict(list)
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
                text = "reaches no other card and none reaches it"
                yield _dead(place, failed[place], _unanswered(failed[place], text, "from and to"))
            elif place in deaf:
                inbound = [hit for hit in failed[place] if hit.shot.target == place]
                text = _unanswered(inbound, "no other card reaches it", "to")
                yield _dead(place, inbound, f"{text}, though it reaches others")
            else:
                sent = [hit for hit in failed[place] if hit.shot.source == place]
                blamed = [hit for hit in sent if hit.shot.target not in dead | deaf]
                yield _partly(place, tried[place], blamed)
    if left_out:
        yield Finding(
            "ping",
            Verdict.NOTE,
            f"not judged: {left_out} pings of the mesh were cut by the time limit",
            remedy="lingctl check-network --mesh-seconds 3600",
        )


def _partners(hits: Sequence[Hit]) -> set[CardPlace]:
    return {place for hit in hits for place in (hit.shot.source, hit.shot.target)}


def _deaf(hits: Sequence[Hit]) -> set[CardPlace]:
    """Cards that several others tried, and none reached."""
    asked: dict[CardPlace, set[CardPlace]] = defaultdict(set)
    answered: set[CardPlace] = set()
    for hit in hits:
        asked[hit.shot.target].add(hit.shot.source)
        if hit.ok:
            answered.add(hit.shot.target)
    return {place for place, sources in asked.items() if len(sources) > 1 and place not in answered}


def _dead(place: CardPlace, bad: Sequence[Hit], text: str) -> Finding:
    return Finding("ping", _verdict(bad), text, *place, evidence=_evidence(bad), remedy=_remedy(place, bad))


def _silent(bad: Sequence[Hit]) -> bool:
    """Whether not one packet came back. Of a ping without a count that is not known."""
    return all(isinstance(hit.ping, Ping) and hit.ping.sent and not hit.ping.received for hit in bad)


def _unanswered(bad: Sequence[Hit], silent: str, ways: str) -> str:
    """What is said of a card whose pings all failed: ``silent`` where it is known that nothing came back."""
    if _silent(bad):
        return f"{silent} ({len(bad)} pings)"
    known = "" if all(isinstance(hit.ping, Ping) for hit in bad) else "known to be "
    return f"none of the {len(bad)} pings {ways} it is {known}answered in full"


def _partly(place: CardPlace, tried: int, bad: Sequence[Hit]) -> Finding:
    of = Subject("ping", *place)
    if not bad:
        return of.passes(f"{tried} pings from and to it answered")
    names = [f"{hit.shot.target[0]} card {hit.shot.target[1]}" for hit in bad]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    whom = f"{', '.join(names[:_MOST_NAMED])}{more}"
    text = f"{'gets no answer' if _silent(bad) else 'gets no full answer'} from {whom}"
    if not any(isinstance(hit.ping, Ping) for hit in bad):
        text = f"its pings to {whom} have no result that can be read"
    return of.finding(_verdict(bad), text, evidence=_evidence(bad), remedy=_remedy(place, bad))


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


def _remedy(place: CardPlace, bad: Sequence[Hit]) -> str:
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
