"""A conversation as a person or a script sees it: answers on standard output, all else on standard error."""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress

from lingctl import interrupts
from lingctl.errors import UsageError
from lingctl.output.screen.terminal import answer_part, conversation, interactive, say, say_part
from lingctl.serving.http.streamed import ReplyPart, ReplyPartKind

# No model takes a question as long as this, in characters.
_LONGEST = 16_000_000


class ChatTerminal:
    """Shows an answer as it comes. Thoughts and calls are part of the conversation, not of the answer."""

    def __init__(self, *, raw: bool = False) -> None:
        self._raw = raw  # all that the model says is the answer, and nothing of ours stands in it
        self._kind: ReplyPartKind | None = None
        self._at_line_start = True

    @property
    def is_person(self) -> bool:
        """Whether somebody sits there."""
        return interactive()

    def question(self, figures: str) -> str:
        """Ask for the next line; one that ends with a backslash goes on in the next."""
        told = f"[{figures}] > " if figures and not self._raw else "> "
        lines = [_line(told, _LONGEST)]
        room = _LONGEST - len(lines[0])
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            lines.append(_line("... ", room))
            room -= len(lines[-1])
        return "\n".join(lines)

    def part(self, part: ReplyPart) -> None:
        """Show it, all of it: Ctrl-C in the middle of a write would have it written twice."""
        with interrupts.deferred():
            self._show(part)

    def _show(self, part: ReplyPart) -> None:
        if part.kind == "turn" and self._raw:
            return
        if part.kind != self._kind:
            self.end()
            self._kind = part.kind
        if self._on_answers():
            answer_part(part.text)
        elif conversation().is_terminal or part.kind == "call":
            say_part(part.text, "dim")
        else:
            return  # nobody watches the thoughts
        self._at_line_start = part.text.endswith("\n")

    def end(self) -> None:
        """Begin a new line where the last one is not ended."""
        with interrupts.deferred():
            if not self._at_line_start:
                (answer_part if self._on_answers() else say_part)("\n")
            self._kind, self._at_line_start = None, True

    def _on_answers(self) -> bool:
        return self._raw or self._kind == "answer"

    def note(self, text: str) -> None:
        """Say it on standard error."""
        say(text, "yellow")


class ScriptTerminal(ChatTerminal):
    """Prints an answer when it is whole: only then is it known that no part of it was a thought."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: list[ReplyPart] = []

    def part(self, part: ReplyPart) -> None:
        """Keep it."""
        if part.kind == "turn":
            self._answer.clear()
        elif part.kind == "answer":
            self._answer.append(part)
        else:
            super().part(part)

    def end(self) -> None:
        """Print it."""
        answer, self._answer = self._answer, []
        for part in answer:
            super().part(part)
        super().end()


def _line(told: str, most: int) -> str:
    """A line of standard input, with editing and history on a terminal. Raises EOFError, as ``_bounded``."""
    if not (interactive() and sys.stdout.isatty()):
        if interactive():
            say_part(told)
        line = sys.stdin.readline(most + 2)
        if not line:
            raise EOFError
        return _bounded(line.rstrip("\n"), most)
    with suppress(ImportError):  # not every build of Python has it
        importlib.import_module("readline")  # gives input() its editing
    try:
        return input(told)
    except EOFError:
        say_part("\n")
        raise


def _bounded(asked: str, most: int) -> str:
    """A question, or a part of one. Raises UsageError: it has no end."""
    if len(asked) > most:
        raise UsageError(
            f"the question is longer than {_LONGEST // 10**6} million characters",
            where="QUESTION",
            code="question-too-long",
        )
    return asked


def read_question(given: str) -> str:
    """The question of the command line, or standard input where that is ``-`` or nothing.

    Raises:
        UsageError: there is none, or it has no end.
    """
    piped = not given and not sys.stdin.isatty()
    asked = _bounded(sys.stdin.read(_LONGEST + 1) if given == "-" or piped else given, _LONGEST)
    if not asked.strip():
        raise UsageError("there is no question", where="QUESTION", code="no-question")
    return asked.strip() if given == "-" or piped else asked


class Silent:
    """Shows nothing: for a document that tells all at the end."""

    is_person = False

    def question(self, figures: str) -> str:
        """There is none."""
        raise EOFError

    def part(self, part: ReplyPart) -> None:
        """Pass over it."""

    def end(self) -> None:
        """Nothing to end."""

    def note(self, text: str) -> None:
        """Pass over it."""
