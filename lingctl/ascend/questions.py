"""What a node is asked, and what its answers say: from questions to ``NodeFacts``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lingctl.ascend import conf, devices, host, versions
from lingctl.ascend.cards import hccn, npu_map, npu_smi, signal, vnic
from lingctl.ascend.facts import CardFacts, NodeFacts, PodFacts
from lingctl.ascend.unread import Unread
from lingctl.inventory.runtime import DOCKER, Runtime
from lingctl.remote.command import Command
from lingctl.remote.probe import Answer, Answers, Question
from lingctl.remote.runtime import image_command, version_command

# A fact, or why there is none.
_Reader = Callable[[Answer | None], Any]
# An unhealthy card blocks any query for up to five minutes; ten seconds tell it from a busy one.
_QUERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """What to ask one node."""

    cards: tuple[int, ...]  # physical ids
    disks: tuple[str, ...] = ()  # paths whose free space matters
    paths: tuple[str, ...] = ()  # files and folders that the container needs from the host
    writes: tuple[str, ...] = ()  # paths that deploy writes
    digests: tuple[str, ...] = ()  # files and folders that must be the same on all nodes
    image: str = ""  # the container image
    runtime: Runtime = DOCKER  # what would run it
    service: Command | None = None  # command that tells whether this cluster's daemon runs there


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
# What reads the answer to the question of the same name, by the field of ``NodeFacts``.
_NODE: Mapping[str, _Reader] = {
    "dev": devices.read_dev,
    "pci": devices.read_pci,
    "npus": npu_smi.read_table,
    "chips": npu_map.read_map,
    "driver": versions.read_version,
    "firmware": versions.read_version,
    "conf": conf.read_conf,
    "listeners": host.read_listeners,
    "memory": host.read_memory,
    "disks": host.read_disks,
    "runtime": host.read_runtime,
    "image": host.read_image,
    "service": host.read_service,
    "paths": host.read_paths,
    "digests": host.read_digests,
    "firewall": host.read_firewall,
    "rights": host.read_rights,
    "hostname": host.read_word,
}


def questions(request: NodeRequest) -> list[Question]:
    """Everything to ask a node, in one probe. The clock comes first: the time of its answer is known best."""
    asked = [
        Question("clock", host.clock_command()),
        Question("dev", devices.dev_command()),
        Question("pci", devices.pci_command()),
        Question("npus", npu_smi.table_command(), 30),
        Question("chips", npu_map.map_command(), 30),
    ]
    return [*asked, *card_questions(request.cards), *_host_questions(request)]


def _host_questions(request: NodeRequest) -> Iterator[Question]:
    """What needs no tool of the cards, and is asked beside them."""

    def of(name: str, command: Command, timeout: float = 10.0, group: str = "") -> Question:
        return Question(name, command, timeout, group, beside=True)

    yield of("driver", versions.version_file_command(versions.DRIVER))
    yield of("firmware", versions.version_file_command(versions.FIRMWARE))
    yield of("conf", conf.read_conf_command())
    yield of("listeners", host.listeners_command())
    yield of("memory", host.memory_command())
    yield of("disks", host.disks_command(request.disks), 20)
    yield of("paths", host.paths_command(request.paths))
    yield of("digests", host.digests_command(request.digests), 60)
    yield of("firewall", host.firewall_command())
    yield of("rights", host.rights_command(request.writes))
    yield of("hostname", host.hostname_command())
    yield of("runtime", version_command(request.runtime), 20, "runtime")
    if request.image:
        yield of("image", image_command(request.runtime, request.image), 20, "runtime")
    if request.service:
        yield of("service", request.service, 20, "runtime")


def card_questions(cards: Sequence[int], names: Sequence[str] = tuple(_CARD)) -> list[Question]:
    """The queries of hccn_tool, card by card: it must not run twice at a time on one node."""
    return [
        Question(f"card:{card}:{name}", hccn.query(card, _CARD[name][0]), _QUERY_SECONDS, f"card:{card}")
        for card in cards
        for name in names
    ]


def glance_questions(request: NodeRequest) -> list[Question]:
    """The few questions whose answers change under a service that runs: seconds on a healthy node, and a
    minute where every card hangs."""
    return [
        Question("clock", host.clock_command(), 5),
        Question("dev", devices.dev_command(), 5),
        Question("npus", npu_smi.table_command(), 12),
        Question("chips", npu_map.map_command(), 8),
        Question("disks", host.disks_command(request.disks), 10),
        *(replace(question, timeout=5.0) for question in card_questions(request.cards, ("link",))),
    ]


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
    node: str, request: NodeRequest, answers: Answers, asked_at: float | None = None, heard_at: float = 0.0
) -> NodeFacts:
    """What the answers say; the clock was asked for and heard at these times of ours."""
    return NodeFacts(
        node=node,
        cards={card: _card(card, answers) for card in request.cards},
        clock=_clock(answers.get("clock"), asked_at, heard_at),
        pod=_pod(request.cards, answers),
        complete=answers.complete,
        **{name: read(answers.get(name)) for name, read in _NODE.items()},
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
