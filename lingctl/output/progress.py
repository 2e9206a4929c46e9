"""The one way to show progress: on a terminal what ended and what runs now, in a pipe each change of state.

A listener is called from many threads, and never waits for the terminal: it puts what it hears into a queue,
and one thread alone prints. Nothing here holds a lock while it does, and Rich calls nothing of ours.
"""

from __future__ import annotations

import io
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import replace
from functools import partial

from rich.console import Console

from lingctl import interrupts
from lingctl.events import Event, Listener
from lingctl.output.screen.board import MARKS, PLAIN_MARKS, Board, line
from lingctl.output.screen.live import LiveLines
from lingctl.output.screen.terminal import (
    answers,
    ascii_alone,
    conversation,
    in_encoding,
    redraws,
    say,
    show,
    words,
)

_FRAME_SECONDS = 0.12
# What goes on is said again in a pipe after so long, then after twice as long, up to the second.
_SAY_AGAIN_SECONDS = 10
_SAY_AGAIN_AT_MOST_SECONDS = 80
_STILL_ENDING = Event(
    "still ending:", "note", text=f"what is held is given back, within {interrupts.PATIENCE_SECONDS:g} s"
)


# What is shown now, if anything is: there is one standard error.
_shown: _Live | _Lines | None = None


def say_aside(text: str) -> None:
    """Say something from any thread, also while progress is shown."""
    shown = _shown
    if shown is not None:
        shown.tell(text)
    else:
        say(text, "dim")


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener that shows what it hears until the block ends. Safe to call from many threads.

    Until then nothing else prints: what a reader should know meanwhile is an event.
    """
    global _shown
    console = conversation()
    shown: _Live | _Lines | None = None
    whole = False
    try:
        with interrupts.deferred():
            shown = _Live(console) if redraws(console) else _Lines(console)
            shown.start()
            _shown = shown
        with interrupts.saying_again(partial(shown.tell, _STILL_ENDING)):
            yield _without_consequences(shown.tell)
        whole = True
    finally:
        if shown is not None:
            with interrupts.deferred():
                _shown = None
                shown.close(whole=whole)


def answered_later(listener: Listener, task: str) -> Listener:
    """A listener, of ``progress``, for steps whose results are the answer too.

    Where a terminal shows both, they pass by in one line of the task: each would stand there twice.
    """
    if _shown is None or not (_shown.on_terminal and answers().is_terminal):
        return listener
    return lambda event: listener(
        Event(task, "progress", text=": ".join(part for part in (event.task, event.text) if part))
    )


def _without_consequences(tell: Listener) -> Listener:
    """After Ctrl-C the connections are closed; what still ran on them failed for no other reason."""

    def listener(event: Event) -> None:
        if event.state == "failed" and interrupts.received() is not None:
            event = replace(event, state="interrupted", text="interrupted")
        tell(event)

    return listener


class _Teller(ABC):
    """Hears events in any thread and gives them to one thread, which alone prints."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._marks = PLAIN_MARKS if ascii_alone(console) else MARKS
        # Only append and popleft: neither needs a lock, so that a signal handler may call ``tell`` too.
        self._heard: deque[Event | str] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lingctl-progress", daemon=True)

    @property
    def on_terminal(self) -> bool:
        """Whether a person sees it."""
        return self._console.is_terminal

    def start(self) -> None:
        """Begin to show."""
        self._thread.start()

    def tell(self, event: Event | str) -> None:
        """Hear one event, or a line of something else."""
        self._heard.append(event)

    def close(self, *, whole: bool) -> None:
        """Show the rest and end; ``whole`` tells whether the block did all it wanted."""
        self._ended.set()
        self._thread.join()
        with suppress(OSError, ValueError):  # the terminal is gone
            self._show()
            self._finish(whole)

    def _work(self) -> None:
        with suppress(OSError, ValueError):
            while not self._ended.wait(_FRAME_SECONDS):
                self._show()

    def _show(self) -> None:
        heard = list[Event | str]()
        while self._heard:
            heard.append(self._heard.popleft())
        self._print(heard)

    @abstractmethod
    def _print(self, heard: Sequence[Event | str]) -> None:
        """Show what was heard since the last time."""

    @abstractmethod
    def _finish(self, whole: bool) -> None:
        """Show what is left; ``whole`` as in ``close``."""


class _Lines(_Teller):
    """Says each change of state once; what goes on ever more seldom."""

    def __init__(self, console: Console) -> None:
        self._last: dict[tuple[str, str], tuple[str, float, float]] = {}
        super().__init__(console)

    def _print(self, heard: Sequence[Event | str]) -> None:
        for event in heard:
            if isinstance(event, str):
                show(words(event, "dim"), out=self._console)
                continue
            now = time.monotonic()
            key = (event.node, event.task)
            state, said_at, wait = self._last.get(key, ("", 0.0, 0.0))
            goes_on = event.state == "progress" and state in ("progress", "started")
            if goes_on and now - said_at < wait:
                continue
            wait = min(2 * wait, _SAY_AGAIN_AT_MOST_SECONDS) if goes_on else _SAY_AGAIN_SECONDS
            self._last[key] = (event.state, now, wait)
            show(words(line(event, self._marks)), out=self._console)

    def _finish(self, whole: bool) -> None:
        """Nothing is left: each line stands."""


class _Live(_Teller):
    """What has ended stays as lines; what runs now is redrawn below them."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._board = Board(self._marks)
        self._lines = LiveLines(console)
        self._drawn = (console.size, 0)
        # Standard output is an answer, and may be a file; what a library prints to standard error is shown
        # above what runs.
        self._said = _Aside(self._heard.append)
        self._aside = redirect_stderr(self._said)

    def start(self) -> None:
        """Begin to show."""
        self._aside.__enter__()
        super().start()

    def _print(self, heard: Sequence[Event | str]) -> None:
        now = time.monotonic()
        told = (
            words(one) if isinstance(one, str) else self._board.hear(self._as_shown(one), now)
            for one in heard
        )
        ended = [one for one in told if one is not None]
        # Drawn again where something was heard, the window changed, or a clock that is shown goes on.
        drawn = (self._console.size, int(now) if self._board.runs else 0)
        if heard or drawn != self._drawn:
            self._drawn = drawn
            self._lines.draw(self._board.lines(*self._console.size, now), ended)

    def _as_shown(self, event: Event) -> Event:
        """Where the terminal lacks characters, with what stands for them: lines are cut to its width."""
        node, task, text = (in_encoding(part, self._console) for part in (event.node, event.task, event.text))
        return replace(event, node=node, task=task, text=text)

    def _finish(self, whole: bool) -> None:
        self._aside.__exit__(None, None, None)
        self._said.end()
        self._show()
        if whole:
            self._board.end()
        self._lines.end(self._board.lines(*self._console.size, time.monotonic()))


class _Aside(io.TextIOBase):
    """Standard error while what runs is drawn there: whole lines go to who draws. It is no terminal."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._begun = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Keep it until its line has ended."""
        *lines, self._begun = (self._begun + text).split("\n")
        for one in lines:
            self._tell(one)
        return len(text)

    def end(self) -> None:
        """Tell what is left."""
        if self._begun:
            self.write("\n")
