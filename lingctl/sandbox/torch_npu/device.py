"""``torch.npu``: the cards that a container was given, as the node's state has them now.

They are counted as for the daemon (``visible_cards``). A card that hangs is waited for as long as CANN waits,
at the sandbox's pace.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from lingctl.sandbox import state
from lingctl.sandbox.card_holders import hold
from lingctl.sandbox.engine.machine.surroundings import own_cards, visible_cards
from lingctl.sandbox.tools.card_processes import card_processes
from lingctl.sandbox.torch_npu import words

VERSION = "2.1.0.post10"
# How long CANN tries to start a card that does not answer is not documented; minutes, by users' reports.
_START_SECONDS = 120
_started: list[int] = []


def need_driver() -> None:
    """Refuse to be imported without the driver's library.

    Raises:
        ImportError: it is not where the linker looks.
    """
    places = [Path(place) for place in os.environ.get("LD_LIBRARY_PATH", "").split(":") if place]
    if not any((place / "libascend_hal.so").exists() for place in places):
        raise ImportError(words.NO_DRIVER)


def device_count() -> int:
    """How many cards there are: none where another container has them, as a user saw it."""
    return len(visible_cards()) if hold(own_cards()) else 0


def is_available() -> bool:
    """Whether there are any."""
    return device_count() > 0


def set_device(index: int) -> None:
    """Take a card.

    Raises:
        RuntimeError: it is not there or does not get ready; torch_npu's words.
    """
    if not 0 <= index < device_count():
        raise RuntimeError(words.no_such_card(index))
    if card_at(index).hang:
        time.sleep(_START_SECONDS * pace())
        raise RuntimeError(words.card_not_started(index))
    _started.append(index)


def need_card(index: int) -> None:
    """See to it that a card has been taken."""
    if index not in _started:
        set_device(index)


def current() -> int:
    """The card that was taken last."""
    return _started[-1] if _started else 0


def pace() -> float:
    """The factor on every documented delay."""
    return state.load_cluster().time_scale


def card_at(index: int) -> state.Card:
    """A card of this node, by its number here, as it is now."""
    by_id = {card.id: card for card in state.this_node().cards}
    return by_id[visible_cards()[index]]


def miscomputes(place: str) -> bool:
    """Whether the card computes wrongly."""
    return card_at(int(place.rpartition(":")[2])).miscomputes


def shared(index: int) -> bool:
    """Whether a process of an engine uses the card."""
    return any(process.card == card_at(index).id for process in card_processes())
