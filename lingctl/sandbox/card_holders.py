"""Which container has a card: the first unprivileged one that uses it, until that ends.

The vendor's installation guide (Atlas 200I A2, 24.1.RC3) says so; a privileged container and the node itself
share every card. That one card of another's keeps all of them from a container is inference.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from lingctl.sandbox.state import NODE_NAME, STATE, locked

# In a container that shares no card: its id. Empty in a privileged one, and not there on a node.
NAME = Path("/.dockerenv")
_FOLDER = STATE / "holders"


def begin(container: str) -> int:
    """Tell that a container runs, until the descriptor that is given is closed or this process ends."""
    _FOLDER.mkdir(exist_ok=True)
    life = os.open(_FOLDER / container, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(life, fcntl.LOCK_SH)
    return life


def hold(cards: Iterable[int]) -> bool:
    """Use cards for the container that this process is in; whether no other one has any of them.

    Args:
        cards: physical ids.
    """
    own = NAME.read_text() if NAME.exists() else ""
    if not own:
        return True
    node = NODE_NAME.read_text().strip()
    with locked(_FOLDER / "lock"):
        places = [_FOLDER / f"{node}-card{card}" for card in cards]
        others = {place.read_text() for place in places if place.exists()} - {own}
        if any(_runs(other) for other in others):
            return False
        for place in places:
            place.write_text(own)
    return True


def _runs(container: str) -> bool:
    try:
        with (_FOLDER / container).open() as life:
            fcntl.flock(life, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
