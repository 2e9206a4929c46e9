"""A stream while it is heard and after its end: text, reason, counts and the moments its text arrived."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lingctl.serving.http.answers import Joiner, Piece, Usage, joined
from lingctl.serving.http.client import StreamEvent
from lingctl.serving.trouble import ExchangeTrouble

ReplyPartKind = Literal["thought", "answer", "call", "turn"]
"""``turn``: a remark that what was shown as an answer until now were thoughts."""

_DROPPED = {code: None for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r"}


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """Some text of an answer, the moment it came."""

    kind: ReplyPartKind
    text: str


@dataclass(slots=True)
class Streamed:
    """An answer, whole or as far as it came. Seconds are from the question on."""

    text: str = ""  # all pieces put together
    reasoning: str = ""  # what the model thought, put together
    tool_call: str = ""  # the functions that it calls
    finish_reason: str = ""  # why it ended, empty if it did not say
    usage: Usage | None = None  # token counts, where told
    events: int = 0  # that held something
    token_events: int = 0  # of these, those that brought tokens
    # to the first event with tokens of any kind, that of the whole if no other came; None if none came
    first_token_seconds: float | None = None
    answer_seconds: float | None = None  # to the first event with text of the answer or a call
    seconds: float = 0.0  # to its end
    trouble: ExchangeTrouble | None = None  # what broke it
    whole: bool = False  # whether it came to its documented end

    @property
    def tokens(self) -> int:
        """As the service counts them, else the events that brought some."""
        return self.usage.completion if self.usage else self.token_events

    @property
    def tokens_per_second(self) -> float | None:
        """After the first token; None where there is no second one."""
        if self.first_token_seconds is None or self.tokens < 2 or self.seconds <= self.first_token_seconds:
            return None
        return (self.tokens - 1) / (self.seconds - self.first_token_seconds)

    @property
    def figures(self) -> str:
        """What it took, in a few words."""
        if self.first_token_seconds is None:
            return ""
        rate, about = self.tokens_per_second, "" if self.usage else "about "
        speed = "" if rate is None else f", {about}{rate:.1f} tokens/s"
        return f"{self.first_token_seconds:.2f} s{speed}"

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "answer": self.text,
            "thoughts": self.reasoning,
            "tool_call": self.tool_call,
            "finish_reason": self.finish_reason,
            "prompt_tokens": self.usage.prompt if self.usage else None,
            "output_tokens": self.tokens,
            "counted_by_service": self.usage is not None,
            "first_token_seconds": self.first_token_seconds,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": self.tokens_per_second,
            "whole": self.whole,
            "trouble": str(self.trouble) if self.trouble else None,
        }


class Hearing:
    """A stream that is being heard. Make it right where the request is sent: its clock starts here."""

    def __init__(self) -> None:
        self.full_text: str | None = None  # where an event repeats it
        self._so_far = Streamed()
        self._started = time.perf_counter()
        self._joiners: dict[ReplyPartKind, Joiner] = {
            "thought": Joiner(),
            "answer": Joiner(),
            "call": Joiner(),
        }

    def hear(self, event: StreamEvent) -> Iterator[ReplyPart]:
        """What an event says; of the last one, what was held back until then."""
        piece, so_far = event.piece, self._so_far
        if isinstance(piece, ExchangeTrouble):
            so_far.trouble = piece
            return
        whole = None if piece.whole is None else joined([piece.whole])
        at, late = event.at - self._started, self._late(whole or "")
        if not event.done:
            so_far.events += 1
            so_far.finish_reason = piece.finish_reason or so_far.finish_reason
            so_far.usage = piece.usage or so_far.usage
            self.full_text = self.full_text if whole is None else whole
            if piece.has_tokens or late:
                so_far.token_events += 1
                so_far.first_token_seconds = so_far.first_token_seconds or at
        if piece.afresh:
            so_far.answer_seconds = None if piece.reasoning else so_far.first_token_seconds
        if piece.text or piece.tool_call or late:
            so_far.answer_seconds = so_far.answer_seconds or at
        yield from self._know_better(piece) if piece.afresh else self._parts(piece, late)
        so_far.whole = event.done

    def rest(self) -> Iterator[ReplyPart]:
        """Halves of characters that stayed halves."""
        for kind, joiner in self._joiners.items():
            if left := joiner.end():
                yield ReplyPart(kind, left)

    def heard(self) -> Streamed:
        """What came until now."""
        thoughts, text, call = (joiner.told for joiner in self._joiners.values())
        seconds = time.perf_counter() - self._started
        return replace(self._so_far, text=text, reasoning=thoughts, tool_call=call, seconds=seconds)

    def _late(self, whole: str) -> str:
        """In /infer the last token's text comes in the whole of the last event only."""
        told = self._joiners["answer"].told if whole else ""
        return whole[len(told) :] if whole.startswith(told) else ""

    def _parts(self, piece: Piece, late: str) -> Iterator[ReplyPart]:
        if late and not piece.text:
            self._joiners["answer"].forget_half()  # the whole has all of that character
        said_by = {"thought": piece.reasoning, "answer": piece.text or late, "call": piece.tool_call}
        for kind, joiner in self._joiners.items():
            if said_by[kind] and (ready := joiner.feed(said_by[kind])):
                yield ReplyPart(kind, ready)

    def _know_better(self, piece: Piece) -> Iterator[ReplyPart]:
        """What was shown as an answer was thoughts, or the other way round: it is not shown again."""
        thoughts, answer = Joiner(), Joiner()
        self._joiners |= {"thought": thoughts, "answer": answer}
        thoughts.feed(piece.reasoning)
        text = answer.feed(piece.text)
        if piece.reasoning:
            yield ReplyPart("turn", "(these were thoughts)")
        if piece.reasoning and text:
            yield ReplyPart("answer", text)
        if call := self._joiners["call"].feed(piece.tool_call):
            yield ReplyPart("call", call)


def gather(events: Iterable[StreamEvent]) -> Streamed:
    """Run a stream to its end; see ``Hearing``. Where its text is told in full too, that counts."""
    hearing = Hearing()
    for event in events:
        for _ in hearing.hear(event):
            pass  # nobody watches
    for _ in hearing.rest():
        pass
    heard, whole = hearing.heard(), hearing.full_text
    if whole is None:
        return heard
    trouble = heard.trouble
    if trouble is None and not begins_alike(whole, heard.text):
        trouble = ExchangeTrouble(
            "malformed", "the full text in the last event does not begin with the pieces"
        )
    return replace(heard, text=whole, trouble=trouble)


def begins_alike(whole: str, pieces: str) -> bool:
    """Whether the full text begins with all the pieces; what it has more is the last token's."""
    return bare(whole).startswith(bare(pieces))


def bare(text: str) -> str:
    """A text as it can be compared with another telling of it.

    MindIE 3.0.0 leaves control characters out of a full text but not of ``/infer``'s pieces, and a character
    that the token limit cuts is a replacement character in one and nothing in the other (read in its source).
    """
    return text.translate(_DROPPED).rstrip("\ufffd")
