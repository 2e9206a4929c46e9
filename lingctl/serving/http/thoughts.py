"""Thoughts that a service leaves in the text of an answer, told apart from the answer. Pure.

A reasoning model writes its thoughts between tags before it answers. A service with a parser for them tells
them in a field of their own; one without leaves them in the text. Here they are known by their place, since a
model that explains such tags writes them too: the text *begins* with the opening tag; or the closing one
stands alone on a line, or right behind the last thought and before an empty line, outside of a block of code
and in a text that held no opening one (the templates of DeepSeek-R1 and its like put that into the prompt).
An opening tag that nothing closes, though the model ended by itself, was part of the answer.

Source of the tags: the parsers of vLLM 0.32.0 (vllm/reasoning), the chat template of Kimi-VL.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum, auto

from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import Dialect

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
# Of the models whose templates open it.
_CLOSING = "</think>"
_CLOSED = re.compile(
    rf"^[ \t]*{_CLOSING}[ \t]*\n|(?<=[^\s`'\"“‘(\[<>*]){_CLOSING}[ \t]*\n[ \t]*\n", re.MULTILINE
)
# What may become that with the text that comes next.
_BEGINS = re.compile(rf"(?:{_CLOSING}[ \t]*\n?[ \t]*|{'(?:'.join('</think')}{')?' * 6})\Z")
_CODE = "```"
_BY_ITSELF = ("stop", "eos_token", "stop_sequence")


class _At(Enum):
    START = auto()  # not known yet what the text begins with
    THOUGHTS = auto()  # behind an opening tag
    GAP = auto()  # behind a closing tag; blank lines are neither thought nor answer
    ANSWER = auto()  # what may still turn out to have been thoughts
    SETTLED = auto()  # what cannot


class Thinking:
    """Tells the thoughts of one answer apart, as its pieces come."""

    def __init__(self, at: _At = _At.START) -> None:
        self._at = at
        self._open = ""  # the tag that began the thoughts
        self._held = ""  # text of which it is not known yet what it is
        self._told: list[str] = []  # the thoughts so far, or the answer while it may turn out to be thoughts
        self._finish = ""

    def tell(self, piece: Piece) -> Piece:
        """The piece, with thoughts that stood in its text in their own place."""
        self._finish = piece.finish_reason or self._finish
        if piece.whole is not None:
            piece = replace(piece, whole=apart(Piece(piece.whole, self._finish)).text)
        if piece.reasoning and self._at in (_At.START, _At.ANSWER):
            self._at = _At.SETTLED  # the service tells them by itself
        if not self._held and (self._at is _At.SETTLED or not piece.text):
            return piece
        if not self._held and self._at is _At.ANSWER and "<" not in piece.text:
            self._told.append(piece.text)
            return piece
        thought, answer, afresh = self._feed(piece.text)
        return replace(
            piece,
            text=answer,
            reasoning=piece.reasoning + thought,
            brought=piece.has_tokens,
            afresh=afresh,
            inline=bool(self._open) or afresh,
        )

    def end(self) -> Piece:
        """What is left when the answer is over; it brings no token of its own."""
        held, self._held = self._held, ""
        match self._at:
            case _At.THOUGHTS if self._finish in _BY_ITSELF:
                return Piece(self._open + "".join(self._told) + held, afresh=True)
            case _At.THOUGHTS:
                return Piece(reasoning=held, inline=True)
            case _At.ANSWER if held.strip() == _CLOSING and not self._line().strip():
                return Piece(reasoning="".join(self._told), afresh=True, inline=True)
            case _:
                return Piece(held)

    def _line(self) -> str:
        """What was told of the line under way."""
        return "".join(self._told).rpartition("\n")[2]

    def _feed(self, text: str) -> tuple[str, str, bool]:
        """Thought and answer in what comes next, and whether all that was told before is told anew."""
        text, self._held = self._held + text, ""
        match self._at:
            case _At.START:
                return self._begin(text)
            case _At.THOUGHTS:
                return self._think(text)
            case _At.GAP:
                answer = text.lstrip()
                self._at = _At.SETTLED if answer else _At.GAP
                return "", answer, False
            case _At.ANSWER:
                return self._answer(text)
            case _At.SETTLED:
                return "", text, False

    def _begin(self, text: str) -> tuple[str, str, bool]:
        begins = text.lstrip()
        self._open = next((tag for tag in _TAGS if begins.startswith(tag)), "")
        if not self._open and any(tag.startswith(begins) for tag in _TAGS):
            self._held = text
            return "", "", False
        self._at = _At.THOUGHTS if self._open else _At.ANSWER
        return self._feed(begins.removeprefix(self._open) if self._open else text)

    def _think(self, text: str) -> tuple[str, str, bool]:
        close = _TAGS[self._open]
        thought, closed, answer = text.partition(close)
        if closed:
            self._at = _At.GAP
            _, answer, _ = self._feed(answer)
            return thought, answer, False
        cut = next((n for n in range(len(close) - 1, 0, -1) if text.endswith(close[:n])), 0)
        thought, self._held = text[: len(text) - cut], text[len(text) - cut :]
        self._told.append(thought)
        return thought, "", False

    def _answer(self, text: str) -> tuple[str, str, bool]:
        if "<" not in text:
            self._told.append(text)
            return "", text, False
        before = "".join(self._told)
        # What stands before it on its line is not looked for again.
        begun = before.rpartition("\n")[2]
        found = _CLOSED.search(begun + text)
        at = (found.start() if found else len(begun + text)) - len(begun)
        if "<think>" in before + text[: max(at, 0)] or (found and (before + text[:at]).count(_CODE) % 2):
            self._at, self._told = _At.SETTLED, []  # it speaks of the tags
            return "", text, False
        if found:
            self._at, self._told = _At.GAP, []
            thought = (before + text)[: len(before) + at]
            _, answer, _ = self._feed(text[found.end() - len(begun) :])
            return thought, answer, True
        begins = _BEGINS.search(text)
        if begins:
            text, self._held = text[: begins.start()], begins.group()
        self._told = [before + text]
        return "", text, False


def apart(piece: Piece) -> Piece:
    """The same for a whole answer."""
    thinking = Thinking()
    told, last = thinking.tell(piece), thinking.end()
    if last.afresh:
        return replace(told, text=last.text, reasoning=last.reasoning, afresh=False, inline=last.inline)
    text, thoughts = told.text + last.text, told.reasoning + last.reasoning
    return replace(told, text=text, reasoning=thoughts, afresh=False, inline=told.inline)


def thinking_for(dialect: Dialect) -> Thinking:
    """For an answer to this way of asking; a base model does not think."""
    return Thinking(_At.START if dialect.thinks else _At.SETTLED)
