"""Progress as data: what happens below ``output`` is told by events and shown there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["started", "progress", "done", "unchanged", "failed", "interrupted", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one task on one node."""

    task: str  # stable name, e.g. ``connect`` or ``write config.json``; the same from start to end.
    state: State  # all but the first two and ``note`` end it
    node: str = ""  # node name, or empty when it concerns this machine or the whole cluster
    text: str = ""  # detail for a person
    done: int = 0  # amount done so far, bytes unless the text says otherwise
    total: int | None = None  # amount in all, or None where unknown


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener for callers that show nothing."""
