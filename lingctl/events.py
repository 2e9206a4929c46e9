"""Progress as data: what happens below ``output`` is told by events and shown there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["started", "progress", "done", "unchanged", "failed", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one task on one node.

    Attributes:
        task: stable name, e.g. ``connect`` or ``write config.json``; the same from start to end.
        state: ``started``, ``progress``, ``done``, ``unchanged``, ``failed`` or ``note``.
        node: node name, or empty when it concerns this machine or the whole cluster.
        text: detail for a person.
        done: amount done so far, bytes unless the text says otherwise.
        total: amount in all, or None where unknown.
    """

    task: str
    state: State
    node: str = ""
    text: str = ""
    done: int = 0
    total: int | None = None


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener for callers that show nothing."""
