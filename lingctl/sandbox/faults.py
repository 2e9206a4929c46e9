"""The faults that can be set on an emulated node, by name: what each means and what it does to the state."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from lingctl.errors import UsageError
from lingctl.sandbox.engine.words import failures
from lingctl.sandbox.state import Card, NodeState, update_card

Change = Callable[[NodeState, Card, str], dict[str, object]]


@dataclass(frozen=True)
class Fault:
    """One fault."""

    name: str  # how it is called
    does: str  # what is then wrong, in one sentence
    detail: str = ""  # what may stand after ``=``, empty if nothing may
    change: Change | None = None  # for a fault of cards, the values of one card that it replaces
    of_mindie: bool = False  # whether the emulated MindIE brings it about, so that no other engine has it

    @property
    def of_cards(self) -> bool:
        """Whether it befalls single cards."""
        return self.change is not None


def _cards(name: str, does: str, change: Change | None = None, value: str = "", **always: object) -> Fault:
    detail = f"CARD[,CARD...]{value} (card 0)"
    return Fault(name, does, detail, change or (lambda node, card, text: always))


def _daemon(name: str, does: str, detail: str = "") -> Fault:
    return Fault(name, does, detail, of_mindie=True)


def _twin(node: NodeState, card: Card, value: str) -> dict[str, object]:
    address = value or next(other.address for other in node.cards if other.id != card.id)
    return {"address": address, "configured": address}


def _stale(node: NodeState, card: Card, value: str) -> dict[str, object]:
    return {"configured": value or (card.address or "0.0.0.0").rpartition(".")[0] + ".250"}


def _flaps(node: NodeState, card: Card, value: str) -> dict[str, object]:
    return {"flaps": int(value or 3)}


_PRINTS = f"NAME or FILE: {', '.join(failures.NAMED)}"

FAULTS: tuple[Fault, ...] = (
    _cards("link-down", "the card's link is DOWN", link="DOWN"),
    _cards("link-flaps", "the card's link went down and up within the last hour", _flaps, "[:TIMES]"),
    _cards("no-address", "the card has no address", address=None, configured=None),
    _cards("duplicate-address", "the card has another card's address", _twin, "[:ADDRESS]"),
    _cards("conf-differs", "/etc/hccn.conf names another address than the card has", _stale, "[:ADDRESS]"),
    _cards(
        "netmask-differs", "the card has another netmask", lambda n, c, v: {"netmask": v or "255.255.255.0"}
    ),
    _cards("no-gateway", "the card has no gateway", gateway=""),
    _cards("no-netdetect", "the card's detection address is 0.0.0.0", netdetect="0.0.0.0"),
    _cards("tls-on", "the card's TLS switch is 1", tls=1),
    _cards("tls-no-certificate", "the card has no TLS certificate", certificate=False),
    _cards("mtu", "the card has another MTU", lambda n, c, v: {"mtu": int(v or 4200)}, "[:BYTES]"),
    _cards("ping-loss", "the card loses packets", lambda n, c, v: {"loss": int(v or 33)}, "[:PERCENT]"),
    _cards("lldp-empty", "the card hears no LLDP neighbour", lldp=False),
    _cards("retransmissions", "the card's packets are sent again and again", errors=5000),
    _cards("card-missing", "the card has dropped off the bus", present=False),
    _cards("card-hang", "the card is not ready: its tools block for minutes", hang=True),
    _cards("card-alarm", "the card's health is Alarm", health="Alarm"),
    _cards("card-unavailable", "npu-smi has no NPU ID for the card (-1)", available=False),
    _cards("card-miscomputes", "the card computes wrongly, and nothing tells so", miscomputes=True),
    Fault("slot-numbers", "npu-smi counts slots (2, 4, 6 ...) where /dev counts cards from 0"),
    Fault("map-fails", "npu-smi info -m fails, npu-smi info does not"),
    Fault("unreachable", "nobody can log in: connections are refused, open ones are cut"),
    Fault("power-off", "the node is off; healing boots it, with its containers stopped"),
    Fault("silent", "the whole node is frozen: connections are taken, nothing is answered"),
    Fault("wrong-host-key", "the node offers another host key"),
    Fault("login-noise", "the login shell prints a line before everything else"),
    Fault("clock-skew", "the node's clock is wrong", "SECONDS (300)"),
    Fault("tool-missing", "there is no hccn_tool"),
    Fault("slow-tools", "hccn_tool takes its time", "SECONDS (0.1)"),
    Fault("busy", "hccn_tool says that it is busy, so many times", "TIMES (1)"),
    Fault("conf-missing", "there is no /etc/hccn.conf"),
    Fault("driver-differs", "the node has another driver", "VERSION (23.0.7)"),
    Fault("root-info-stale", "/etc/hccl_rootinfo.json of another installation lies there"),
    Fault("no-python", "the node has no usable python3"),
    Fault("docker-down", "no docker daemon answers"),
    Fault("image-missing", "the engine's image is not there"),
    Fault("disk-full", "the disks below the two paths are full", "models or state (both)"),
    Fault("port-taken", "another program listens there", "PORT[,PORT...] (1025)"),
    _daemon("daemon-dies-loading", "the MindIE daemon runs out of memory while it loads"),
    _daemon(failures.FAULT, "the MindIE daemon prints words of a real failure, and dies loading", _PRINTS),
    _daemon("daemon-dies-serving", "the MindIE daemon dies at the next request"),
    _daemon("tokenizer-cannot-start", "a tokenizer process of MindIE 3.0.0 lacks a module, and says nothing"),
    _daemon("console-cut-short", "a MindIE 3.0.0 daemon that refuses to start loses its last lines"),
    _daemon(
        "follower-takes-its-worker", "a stopped follower ends its worker, the rarer case on MindIE 3.0.0"
    ),
    _daemon("slow-first-token", "the first token takes long"),
    _daemon("stuck-stream", "answers stop in the middle and never end"),
    _daemon("truncated-stream", "streamed answers end without their last line"),
    _daemon("error-in-stream", "streamed answers end in an error"),
    _daemon("wrong-answer", "the model answers nonsense"),
)
_DEFAULTS = {
    "clock-skew": "300",
    "slow-tools": "0.1",
    "busy": "1",
    "driver-differs": "23.0.7",
    "port-taken": "1025",
    failures.FAULT: next(iter(failures.NAMED)),
}
# Faults whose detail is one of a few words.
_WORDS: Mapping[str, Collection[str]] = {
    "disk-full": ("", "models", "state"),
    failures.FAULT: (failures.FILE, *failures.NAMED),
}


def find_fault(name: str) -> Fault:
    """The fault of that name.

    Raises:
        UsageError: there is none; suggests the nearest.
    """
    for fault in FAULTS:
        if fault.name == name:
            return fault
    near = difflib.get_close_matches(name, [fault.name for fault in FAULTS], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no fault {name!r}", remedy=f"{hint}see: lingctl sandbox faults")


def broken(node: NodeState, text: str) -> NodeState:
    """The node with a fault set.

    Args:
        node: as it is.
        text: ``FAULT`` or ``FAULT=DETAIL``.

    Raises:
        UsageError: there is no such fault, card or detail.
    """
    name, given, detail = text.partition("=")
    fault = find_fault(name)
    if given and not fault.detail:
        raise UsageError(f"{name} takes no detail", where=text, remedy=f"lingctl sandbox break NODE {name}")
    detail = detail or _DEFAULTS.get(name, "0" if fault.of_cards else "")
    _check_detail(node, fault, detail)
    if fault.change is not None:
        ids, _, value = detail.partition(":")
        for card in _chosen(node, ids, text):
            try:
                values = fault.change(node, card, value)
            except ValueError as error:
                raise UsageError(
                    f"{value!r} is not a value for {name}", where=text, evidence=str(error)
                ) from None
            node = update_card(node, card.id, **values)
    if name == "driver-differs":
        node = replace(node, driver=detail)
    return replace(node, faults={**node.faults, name: detail})


def healed(node: NodeState, name: str, pristine: NodeState) -> NodeState:
    """The node with a fault taken away.

    Args:
        node: as it is.
        name: the fault.
        pristine: the node as it was when it was built.
    """
    fault = find_fault(name)
    detail = node.faults.get(name)
    if detail is None:
        return node
    if fault.change is not None:
        ids, _, value = detail.partition(":")
        originals = {card.id: card for card in pristine.cards}
        for card in _chosen(node, ids, name):
            touched = fault.change(node, card, value)
            before = {key: getattr(originals[card.id], key) for key in touched}
            node = update_card(node, card.id, **before)
    if name == "driver-differs":
        node = replace(node, driver=pristine.driver)
    return replace(node, faults={key: text for key, text in node.faults.items() if key != name})


def _chosen(node: NodeState, ids: str, where: str) -> list[Card]:
    by_id = {str(card.id): card for card in node.cards}
    wanted = ids.split(",")
    unknown = [part for part in wanted if part not in by_id]
    if unknown:
        raise UsageError(
            f"{node.name} has no card {unknown[0]!r}", where=where, remedy=f"cards: {', '.join(by_id)}"
        )
    return [by_id[part] for part in wanted]


def _check_detail(node: NodeState, fault: Fault, detail: str) -> None:
    try:
        if fault.name in ("clock-skew", "slow-tools"):
            float(detail)
        elif fault.name == "busy":
            int(detail)
        elif fault.name == "port-taken":
            _ = [int(part) for part in detail.split(",")]
        elif detail not in _WORDS.get(fault.name, (detail,)):
            raise ValueError(detail)
    except ValueError:
        raise UsageError(
            f"{detail!r} is not a detail for {fault.name}", remedy=f"{fault.name}={fault.detail}"
        ) from None
