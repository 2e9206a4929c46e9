"""A stream after its end: text, reason, counts and the moments its text arrived."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from lingctl.serving.http.answers import Usage, joined
from lingctl.serving.http.client import StreamEvent
from lingctl.serving.trouble import ExchangeTrouble

_DROPPED = {code: None for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r"}


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a stream brought."""

    text: str  # all pieces put together
    finish_reason: str  # why it ended, empty if it did not say
    usage: Usage | None  # token counts, where told
    events: int  # number of events that held something
    # from the request to the first event with tokens of any kind, that of the whole if no other came; None if
    # none came
    first_token_seconds: float | None
    trouble: ExchangeTrouble | None  # what broke it, or None
    reasoning: str = ""  # what the model thought, put together
    tool_call: str = ""  # the functions that it calls
    # from the request to the first event with text of the answer or a call; None if none
    answer_seconds: float | None = None


def gather(events: Iterable[StreamEvent]) -> Streamed:
    """Run a stream to its end. Call it right where the request is sent: its clock starts here."""
    started = time.perf_counter()
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[str] = []
    finish, whole, count = "", None, 0
    usage: Usage | None = None
    first: float | None = None
    answered: float | None = None
    trouble: ExchangeTrouble | None = None
    for event in events:
        if isinstance(event.piece, ExchangeTrouble):
            trouble = event.piece
            break
        piece = event.piece
        if piece.afresh:
            texts.clear()
            thoughts.clear()
            answered = first if piece.text and not piece.reasoning else None
        if event.done:
            texts.append(piece.text)
            thoughts.append(piece.reasoning)
            if piece.text and answered is None:
                answered = event.at - started
            break
        count += 1
        if (piece.has_tokens or piece.whole) and first is None:
            first = event.at - started
        if (piece.text or piece.tool_call or piece.whole) and answered is None:
            answered = event.at - started
        texts.append(piece.text)
        thoughts.append(piece.reasoning)
        calls.append(piece.tool_call)
        finish = piece.finish_reason or finish
        usage = piece.usage or usage
        whole = piece.whole if piece.whole is not None else whole
    text = joined(texts)
    if trouble is None and whole is not None and not begins_alike(whole, text):
        trouble = ExchangeTrouble(
            "malformed", "the full text in the last event does not begin with the pieces"
        )
    return Streamed(
        text if whole is None else whole,
        finish,
        usage,
        count,
        first,
        trouble,
        joined(thoughts),
        joined(calls),
        answered,
    )


def begins_alike(whole: str, pieces: str) -> bool:
    """Whether the full text begins with all the pieces; what it has more is the last token's."""
    return bare(whole).startswith(bare(pieces))


def bare(text: str) -> str:
    """A text as it can be compared with another telling of it.

    MindIE 3.0.0 leaves control characters out of a full text but not of ``/infer``'s pieces, and a character
    that the token limit cuts is a replacement character in one and nothing in the other (read in its source).
    """
    return text.translate(_DROPPED).rstrip("\ufffd")
