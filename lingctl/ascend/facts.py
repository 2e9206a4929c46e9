"""Facts: what was seen on one node, card by card; ``questions`` asks for them and reads the answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lingctl.ascend import conf, devices, host, versions
from lingctl.ascend.cards import hccn, npu_map, npu_smi, signal, vnic
from lingctl.ascend.cards.card_rows import CardRows, card_rows
from lingctl.ascend.unread import Unread


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What was seen of one card. ``None`` is an answer (nothing set, nothing heard); ``Unread`` is none."""

    card: int
    link: Literal["UP", "DOWN"] | Unread
    address: hccn.DeviceAddress | Unread | None
    tls: hccn.Tls | Unread
    net_health: str | Unread
    netdetect: str | Unread
    gateway: hccn.Gateway | Unread | None
    lldp: hccn.Neighbour | Unread | None
    mtu: int | Unread
    speed: int | Unread | None
    history: signal.LinkHistory | Unread
    counters: signal.Counters | Unread
    optics: signal.Optics | Unread


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One die of an A3: its place in the super-pod, and its inner network."""

    place: npu_smi.PodPlace | Unread
    vnic: vnic.Vnic | Unread


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What was seen of one node."""

    node: str
    cards: Mapping[int, CardFacts]  # by physical id, the asked ones
    dev: tuple[int, ...] | Unread
    pci: tuple[str, ...] | Unread
    npus: npu_smi.NpuTable | Unread
    chips: tuple[npu_map.MappedChip, ...] | Unread
    driver: versions.Version | Unread
    firmware: versions.Version | Unread
    conf: conf.Conf | Unread
    clock: tuple[float, float] | Unread  # how far the node's clock is from ours, as (least, most) seconds
    listeners: tuple[host.ListeningSocket, ...] | Unread  # listening TCP sockets
    memory: tuple[int, int] | Unread
    disks: tuple[host.Disk, ...] | Unread
    runtime: str | Unread  # version of the container runtime
    image: str | Unread | None  # id of the container image; None where the runtime has none of that name
    service: bool | Unread  # whether this cluster's own daemon runs
    paths: Mapping[str, bool] | Unread  # whether each is there; one that cannot be looked at is left out
    digests: Mapping[str, str] | Unread  # sha256 by path, or ``absent``; one that cannot be read is left out
    firewall: tuple[str, ...] | Unread
    rights: host.Rights | Unread  # of the login, on what deploy writes
    hostname: str | Unread
    pod: Mapping[int, PodFacts] = field(default_factory=dict)  # of an A3, by physical id
    complete: bool = True  # whether every question was answered

    @property
    def rows(self) -> CardRows:
        """Which row of npu-smi is which card."""
        return card_rows(self.npus, self.chips, self.dev)

    @property
    def generation(self) -> devices.CardGeneration:
        """A1, A2, A3, 950 or 310, by PCI id or else by npu-smi's names; empty where neither tells."""
        found = devices.generation(self.pci)
        if found or isinstance(self.npus, Unread):
            return found
        names = {chip.name for chip in self.npus.chips}
        if any(name.startswith("910B") for name in names):
            return "A2"
        if any(chip.physical is not None for chip in self.npus.chips):
            return "A3"
        return ""


def device_addresses(facts: NodeFacts) -> dict[int, str]:
    """Live address by physical card id; cards without one, or that did not answer, are left out."""
    return {
        card: seen.address.address
        for card, seen in facts.cards.items()
        if isinstance(seen.address, hccn.DeviceAddress)
    }


def as_json(value: object) -> object:
    """Facts as plain data; what is unread becomes ``{"unread": reason, "text": ..., "quote": ...}``."""
    if isinstance(value, Unread):
        return {"unread": value.reason, "text": value.text, "quote": value.quote}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
