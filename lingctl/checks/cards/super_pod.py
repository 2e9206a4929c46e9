"""A3 super-pods: does each die stand where its numbers say, and is no server there twice?

Sources: the vendor's DCMI document for A3 and the published driver for what an SDID and a vNIC address are
made of; HCCL's list of errors for EI0014.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from lingctl.ascend.cards.npu_smi import PodPlace
from lingctl.ascend.cards.vnic import Vnic, pod_address
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.judge import not_read
from lingctl.findings import Finding, Subject, Verdict

_REMEDY = "set the server's place in the super-pod anew (BMC, or the Computing Toolkit), then restart it"


def pod_findings(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    """Everything about super-pods; nothing of nodes that are no A3."""
    servers: dict[tuple[int, int], list[str]] = defaultdict(list)
    for facts in nodes:
        yield from _dies(facts)
        if len(nodes) > 1:
            yield from _not_asked(facts)
        places = {seen.place for seen in facts.pod.values() if isinstance(seen.place, PodPlace)}
        own = {(place.pod, place.server) for place in places}
        if len(own) > 1:
            yield Subject("super-pod", facts.node).failure(
                "its dies name different super-pods or servers",
                evidence=", ".join(f"pod {pod} server {server}" for pod, server in sorted(own)),
                remedy=_REMEDY,
            )
        for place in own:
            servers[place].append(facts.node)
    for (pod, server), names in servers.items():
        for name in names if len(names) > 1 else ():
            others = ", ".join(other for other in names if other != name)
            text = f"is server {server} of super-pod {pod}, and so is {others} (HCCL ends with EI0014)"
            yield Finding("super-pod", Verdict.FAILURE, text, name, remedy=_REMEDY)


def _not_asked(facts: NodeFacts) -> Iterator[Finding]:
    """Dies of an A3 whose place nobody could ask for, as where npu-smi does not say which die is which."""
    if facts.generation != "A3":
        return
    rows = facts.rows
    for card in facts.cards:
        if card not in facts.pod:
            why = "the node was lost before it had answered" if card in rows.places else rows.why(card)
            text = f"its place in a super-pod is not judged: {why}"
            yield Finding("super-pod", Verdict.UNKNOWN, text, facts.node, card, remedy="npu-smi info -m")


def _dies(facts: NodeFacts) -> Iterator[Finding]:
    for card, seen in facts.pod.items():
        place, inner = seen.place, seen.vnic
        if isinstance(place, Unread):
            yield not_read(Subject("super-pod", facts.node, card), place, optional=True)
        else:
            yield _place(facts.node, card, place)
        if isinstance(inner, Unread):
            yield not_read(Subject("vnic", facts.node, card), inner)
        else:
            yield _vnic(facts, card, inner, place)


def _place(node: str, card: int, place: PodPlace) -> Finding:
    server, _, _, device = place.decoded
    of = Subject("super-pod", node, card)
    if (server, device) != (place.server, card):
        return of.failure(
            f"SDID {place.sdid} belongs to server {server} device {device}, and not to server "
            f"{place.server} device {card}",
            remedy=_REMEDY,
        )
    return of.passes(f"SDID {place.sdid}")


def _vnic(facts: NodeFacts, card: int, inner: Vnic, place: PodPlace | Unread) -> Finding:
    node = facts.node
    of = Subject("vnic", node, card)
    if inner.link != "UP":
        ids = facts.rows.places.get(card)
        health = "npu-smi info" if ids is None else f"npu-smi info -t health -i {ids[0]} -c {ids[1]}"
        text = "the card's inner network is down"
        remedy = f"look at the card's health: {health}; then reset it"
        return of.failure(text, remedy=remedy)
    if isinstance(place, PodPlace):
        wanted = pod_address(place.server, place.decoded[2], card)
        if inner.address != wanted:
            text = f"{inner.address} is not the address of its place in the super-pod, {wanted}"
            return of.failure(text, remedy=_REMEDY)
    return of.passes(inner.address)
