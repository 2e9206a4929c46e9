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
_OPENING, _CLOSING = "<think>", "</think>"
_CLOSED_YET = rf"^[ \t]*{_CLOSING}[ \t]*\n|(?<=[^\s`'\"“‘(\[<>*]){_CLOSING}[ \t]*\n[ \t]*\n"
_CLOSED = re.compile(_CLOSED_YET, re.MULTILINE)
_CLOSED_AT_THE_END = re.compile(rf"{_CLOSED_YET}|^[ \t]*{_CLOSING}[ \t]*\Z", re.MULTILINE)
# What may become that with the text that comes next.
_BEGINS = re.compile(rf"(?:{_CLOSING}[ \t]*\n?[ \t]*|{'(?:'.join('</think')}{')?' * 6})\Z")
_CODE = "```"
_BY_ITSELF = ("stop", "eos_token", "stop_sequence")


class Thinking:
    """Tells the thoughts of one answer apart, as its pieces come.

    Args:
        settled: whether nothing is told apart.
    """

    def __init__(self, *, settled: bool = False) -> None:
        self.inline = False  # whether thoughts stand in the text
        self._settled = settled  # whether what comes is the answer, whatever it holds
        self._parts: list[str] = []  # the text so far
        self._open = ""  # the tag that began thoughts which are not closed
        self._held = True  # whether some text is not told yet, as it is not known what it is
        self._told = (0, 0)  # characters of the thoughts and of the answer
        self._finish = ""

    def tell(self, piece: Piece) -> Piece:
        """The piece, with thoughts that stood in its text in their own place."""
        self._finish = piece.finish_reason or self._finish
        if piece.whole is not None:
            piece = replace(piece, whole=apart(Piece(piece.whole, self._finish)).text)
        if piece.reasoning and not self.inline and not self._settled:
            # The service tells them by itself.
            held = "".join(self._parts)[self._told[1] :]
            self._settled = True
            return replace(piece, text=held + piece.text)
        if self._settled or not piece.text:
            return piece
        self._parts.append(piece.text)
        thoughts, answer = self._told
        # What nothing can change is not looked through again with each piece.
        if not self._held and not self.inline and "<" not in piece.text:
            self._told = thoughts, answer + len(piece.text)
            return piece
        if not self._held and self._open and _TAGS[self._open][0] not in piece.text:
            self._told = thoughts + len(piece.text), answer
            news = Piece(reasoning=piece.text, inline=True)
        else:
            news = self._news()
        reasoning = piece.reasoning + news.reasoning
        return replace(
            piece,
            text=news.text,
            reasoning=reasoning,
            brought=piece.has_tokens,
            afresh=news.afresh,
            inline=news.inline,
        )

    def end(self) -> Piece:
        """What is left when the answer is over; it brings no token of its own."""
        return Piece() if self._settled else self._news(over=True)

    def _news(self, *, over: bool = False) -> Piece:
        """What was not told yet; all of it afresh where what was told was taken for something else."""
        before, (thoughts, answer) = self.inline, self._told
        thought, text = self._split("".join(self._parts), over=over)
        self._told = len(thought), len(text)
        afresh = before != self.inline and bool(thoughts or answer)
        if not afresh:
            thought, text = thought[thoughts:], text[answer:]
        return Piece(text, reasoning=thought, afresh=afresh, inline=self.inline)

    def _split(self, text: str, *, over: bool) -> tuple[str, str]:
        """Thoughts and answer in a text; what may still become a tag is in neither."""
        self._parts, self._held = [text], False
        begins = text.lstrip()
        self._open = next((tag for tag in _TAGS if begins.startswith(tag)), "")
        if self._open:
            close = _TAGS[self._open]
            thought, closed, answer = begins.removeprefix(self._open).partition(close)
            if closed:
                return self._closed(thought, answer)
            self.inline = not (over and self._finish in _BY_ITSELF)
            if over:
                return (thought, "") if self.inline else ("", begins)
            cut = next((n for n in range(len(close) - 1, 0, -1) if thought.endswith(close[:n])), 0)
            self._held = cut > 0
            return thought[: len(thought) - cut], ""
        if not over and any(tag.startswith(begins) for tag in _TAGS):
            self._held = True
            return "", ""
        # Of a text with many tags all is looked through with each of them: that has to cost next to nothing.
        found = (_CLOSED_AT_THE_END if over else _CLOSED).search(text) if _CLOSING in text else None
        before = text[: found.start()] if found else text
        if _OPENING in before or (found and before.count(_CODE) % 2):
            self._settled = True  # it speaks of the tags
            return "", text
        if found:
            return self._closed(before, text[found.end() :])
        begun = None if over else _BEGINS.match(text, text.rfind("<"))
        self._held = begun is not None
        return "", text[: begun.start()] if begun else text

    def _closed(self, thought: str, answer: str) -> tuple[str, str]:
        """Thoughts that are over. Blank lines behind them are neither thought nor answer."""
        answer = answer.lstrip()
        self.inline, self._open, self._settled = True, "", bool(answer)
        return thought, answer


def apart(piece: Piece) -> Piece:
    """The same for a whole answer."""
    thinking = Thinking()
    told, last = thinking.tell(piece), thinking.end()
    if not last.afresh:
        last = Piece(told.text + last.text, reasoning=told.reasoning + last.reasoning)
    return replace(told, text=last.text, reasoning=last.reasoning, afresh=False, inline=thinking.inline)


def thinking_for(dialect: Dialect) -> Thinking:
    """For an answer to this way of asking; a base model does not think."""
    return Thinking(settled=not dialect.thinks)
