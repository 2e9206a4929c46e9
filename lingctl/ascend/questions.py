"""What a node is asked, and what its answers say: from questions to ``NodeFacts``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lingctl.ascend import conf, devices, host, versions
from lingctl.ascend.cards import hccn, npu_map, npu_smi, signal, vnic
from lingctl.ascend.facts import CardFacts, NodeFacts, PodFacts
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.ascend.unread import Unread
from lingctl.remote.command import Command
from lingctl.remote.probe import Answer, Answers, Question
from lingctl.remote.runtime import image_command, version_command

# A fact, or why there is none.
_Reader = Callable[[Answer | None], Any]
# An unhealthy card blocks any query for up to five minutes; ten seconds tell it from a busy one.
_QUERY_SECONDS = 10.0


# Of a card: what hccn_tool is asked, and what reads its answer, by the field of ``CardFacts``. In the order
# of asking: the link first, whose silence says that the whole card is not ready.
_CARD: Mapping[str, tuple[str, _Reader]] = {
    "link": ("link", hccn.read_link),
    "address": ("ip", hccn.read_address),
    "tls": ("tls", hccn.read_tls),
    "net_health": ("net_health", hccn.read_net_health),
    "netdetect": ("netdetect", hccn.read_netdetect),
    "gateway": ("gateway", hccn.read_gateway),
    "lldp": ("lldp", hccn.read_lldp),
    "mtu": ("mtu", hccn.read_mtu),
    "speed": ("speed", hccn.read_speed),
    "history": ("link_stat", signal.read_link_history),
    "counters": ("stat", signal.read_counters),
    "optics": ("optical", signal.read_optics),
}


@dataclass(frozen=True, slots=True)
class _Fact:
    """A fact of a node: what is asked for it, and what reads the answer."""

    read: _Reader
    asked: Command | Callable[[Scope, NodeScope], Command | None]  # None: nobody wants to know
    timeout: float = 10.0
    group: str = ""
    beside: bool = True  # whether it needs no tool of the cards, and is asked beside them

    def question(self, name: str, scope: Scope, node: NodeScope) -> Question | None:
        command = self.asked if isinstance(self.asked, Command) else self.asked(scope, node)
        return Question(name, command, self.timeout, self.group, self.beside) if command else None


# By the field of ``NodeFacts``, in the order of asking. The clock comes first: the time of its answer is
# known best.
_NODE: Mapping[str, _Fact] = {
    "clock": _Fact(host.read_clock, host.CLOCK, beside=False),
    "dev": _Fact(devices.read_dev, devices.DEV, beside=False),
    "pci": _Fact(devices.read_pci, devices.PCI, beside=False),
    "npus": _Fact(npu_smi.read_table, npu_smi.TABLE, 30, beside=False),
    "chips": _Fact(npu_map.read_map, npu_map.MAP, 30, beside=False),
    "driver": _Fact(versions.read_version, versions.DRIVER),
    "firmware": _Fact(versions.read_version, versions.FIRMWARE),
    "conf": _Fact(conf.read_conf, conf.CONF),
    "listeners": _Fact(host.read_listeners, host.LISTENERS),
    "memory": _Fact(host.read_memory, host.MEMORY),
    "disks": _Fact(host.read_disks, lambda scope, _: host.disks_command(scope.disks), 20),
    "paths": _Fact(host.read_paths, lambda _, node: host.paths_command(node.paths)),
    "digests": _Fact(host.read_digests, lambda scope, _: host.digests_command(tuple(scope.digests)), 60),
    "firewall": _Fact(host.read_firewall, host.FIREWALL),
    "rights": _Fact(host.read_rights, lambda scope, _: host.rights_command(scope.writes)),
    "hostname": _Fact(host.read_word, host.HOSTNAME),
    "runtime": _Fact(host.read_runtime, lambda scope, _: version_command(scope.runtime), 20, "runtime"),
    "image": _Fact(
        host.read_image,
        lambda scope, _: image_command(scope.runtime, scope.image) if scope.image else None,
        20,
        "runtime",
    ),
    "service": _Fact(
        host.read_service, lambda scope, _: Command(scope.service) if scope.service else None, 20, "runtime"
    ),
}
# Seconds for each question whose answer changes under a service that runs.
_GLANCE = {"clock": 5.0, "dev": 5, "npus": 12, "chips": 8, "disks": 10}


def questions(scope: Scope, node: NodeScope) -> list[Question]:
    """Everything to ask a node, in one probe."""
    asked = [question for name, fact in _NODE.items() if (question := fact.question(name, scope, node))]
    first = [question for question in asked if not question.beside]
    return [*first, *card_questions(node.cards), *asked[len(first) :]]


def card_questions(cards: Sequence[int], names: Sequence[str] = tuple(_CARD)) -> list[Question]:
    """The queries of hccn_tool, card by card: it must not run twice at a time on one node."""
    return [
        Question(f"card:{card}:{name}", hccn.query(card, _CARD[name][0]), _QUERY_SECONDS, f"card:{card}")
        for card in cards
        for name in names
    ]


def glance_questions(scope: Scope, node: NodeScope) -> list[Question]:
    """The few questions whose answers change under a service that runs: seconds on a healthy node, and a
    minute where every card hangs."""
    asked = (_NODE[name].question(name, scope, node) for name in _GLANCE)
    links = (replace(question, timeout=5.0) for question in card_questions(node.cards, ("link",)))
    few = (replace(one, timeout=_GLANCE[one.id], beside=False) for one in asked if one)
    return [*few, *links]


def pod_questions(facts: NodeFacts) -> list[Question]:
    """What an A3 is asked about its super-pod; nothing of other generations."""
    if facts.generation != "A3":
        return []
    asked = []
    for card, place in facts.rows.places.items():
        if card in facts.cards:
            group = f"card:{card}"
            asked.append(Question(f"pod:{card}:place", npu_smi.pod_command(*place), _QUERY_SECONDS, group))
            asked.append(Question(f"pod:{card}:vnic", hccn.query(card, "vnic"), _QUERY_SECONDS, group))
    return asked


def read_facts(
    node: NodeScope, answers: Answers, asked_at: float | None = None, heard_at: float = 0.0
) -> NodeFacts:
    """What the answers say; the clock was asked for and heard at these times of ours."""
    clock = _clock(answers.get("clock"), asked_at, heard_at)
    return NodeFacts(
        node=node.name,
        cards={card: _card(card, answers) for card in node.cards},
        pod=_pod(node.cards, answers),
        complete=answers.complete,
        **{name: fact.read(answers.get(name)) for name, fact in _NODE.items()} | {"clock": clock},
    )


def _card(card: int, answers: Answers) -> CardFacts:
    facts = {name: read(answers.get(f"card:{card}:{name}")) for name, (_, read) in _CARD.items()}
    return CardFacts(card=card, **facts)


def _pod(cards: Sequence[int], answers: Answers) -> dict[int, PodFacts]:
    return {
        card: PodFacts(
            npu_smi.read_pod(answers.get(f"pod:{card}:place")),
            vnic.read_vnic(answers.get(f"pod:{card}:vnic")),
        )
        for card in cards
        if f"pod:{card}:place" in answers or f"pod:{card}:vnic" in answers
    }


def _clock(answer: Answer | None, asked_at: float | None, heard_at: float) -> tuple[float, float] | Unread:
    theirs = host.read_clock(answer)
    if isinstance(theirs, Unread):
        return theirs
    if asked_at is None:
        return Unread("not-asked", "it is not known when the answer was given")
    return theirs - heard_at, theirs - asked_at
