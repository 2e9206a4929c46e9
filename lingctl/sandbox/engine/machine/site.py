"""What the engine may know about the machine it is emulated on: time scale, faults, cards."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingctl.sandbox import state

OVERRIDE = "LINGCTL_ENGINE_SITE"
DEVICES = "LINGCTL_ENGINE_DEV"


@dataclass(frozen=True, slots=True)
class Card:
    """The network side of one card."""

    address: str
    link_up: bool = True
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """This node, as the sandbox describes it."""

    time_scale: float = 1.0  # factor on every documented delay and timeout
    faults: frozenset[str] = frozenset()  # names of the faults in force
    cards: Mapping[int, Card] | None = None  # by device id; None where no sandbox describes them
    missing: frozenset[int] = frozenset()  # ids of cards that have dropped off the bus
    shared_memory: int | None = None  # bytes that /dev/shm may hold; None for what the file system says


def this_site() -> Site:
    """The site of this process, read anew so that faults can come and go while serving."""
    override = os.environ.get(OVERRIDE)
    if override:
        return _from_document(json.loads(Path(override).read_text()))
    return _from_sandbox() if state.NODE_NAME.exists() else Site()


def device_folder() -> Path:
    """Where device nodes and shared memory are, ``/dev`` but for tests."""
    return Path(os.environ.get(DEVICES, "/dev"))


def _from_sandbox() -> Site:
    cluster, node = state.load_cluster(), state.this_node()
    cards = {
        card.id: Card(card.address, card.link == "UP", bool(card.tls))
        for card in node.cards
        if card.present and card.address
    }
    missing = frozenset(card.id for card in node.cards if not card.present)
    return Site(cluster.time_scale, frozenset(node.faults), cards, missing)


def _from_document(document: Mapping[str, Any]) -> Site:
    cards = document.get("cards")
    return Site(
        time_scale=float(document.get("time_scale", 1.0)),
        faults=frozenset(document.get("faults", ())),
        cards=None if cards is None else {int(key): Card(**value) for key, value in cards.items()},
        shared_memory=document.get("shared_memory"),
    )
