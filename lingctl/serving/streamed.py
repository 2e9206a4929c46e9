"""A stream after its end: text, reason, counts and the moments its text arrived."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from lingctl.serving.api import Usage
from lingctl.serving.client import StreamEvent
from lingctl.serving.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a stream brought.

    Attributes:
        text: all pieces put together.
        finish_reason: why it ended, empty if it did not say.
        usage: token counts, where told.
        events: number of events that held something.
        first_token_seconds: from the request to the first event with text; None if none came.
        trouble: what broke it, or None.
    """

    text: str
    finish_reason: str
    usage: Usage | None
    events: int
    first_token_seconds: float | None
    trouble: Trouble | None


def gather(events: Iterable[StreamEvent]) -> Streamed:
    """Run a stream to its end. Call it right where the request is sent: its clock starts here."""
    started = time.perf_counter()
    texts: list[str] = []
    finish, whole, count = "", None, 0
    usage: Usage | None = None
    first: float | None = None
    trouble: Trouble | None = None
    for event in events:
        if isinstance(event.piece, Trouble):
            trouble = event.piece
            break
        if event.done:
            break
        count += 1
        if event.piece.text and first is None:
            first = event.at - started
        texts.append(event.piece.text)
        finish = event.piece.finish_reason or finish
        usage = event.piece.usage or usage
        whole = event.piece.whole if event.piece.whole is not None else whole
    text = "".join(texts)
    if trouble is None and whole is not None and text and whole != text:
        trouble = Trouble("malformed", "the pieces do not add up to the full text in the last event")
    return Streamed(text or whole or "", finish, usage, count, first, trouble)
