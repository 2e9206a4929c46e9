"""The one way to show progress: lines and a live table on a terminal, one line per change of state in a pipe.

A listener is called from many threads, and never waits for the terminal: it puts what it hears into a queue,
and one thread alone talks to Rich. Nothing here holds a lock while Rich does, and Rich calls nothing of ours.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lingctl import interrupts
from lingctl.events import Event, Listener
from lingctl.output.harmless import harmless
from lingctl.output.terminal import conversation, redraws, show, words

_MARKS = {
    "started": ("…", "cyan"),
    "progress": ("…", "cyan"),
    "done": ("✓", "green"),
    "unchanged": ("=", "dim"),
    "failed": ("✗", "bold red"),
    "note": ("·", "dim"),
}
_FRAME_SECONDS = 0.12
_MOST_OF_A_LINE = 1_000
_SAY_AGAIN_SECONDS = 10
_STILL_ENDING = Event(
    "still ending:", "note", text=f"what is held is given back, within {interrupts.PATIENCE_SECONDS:g} s"
)


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener that shows what it hears until the block ends. Safe to call from many threads.

    Until then nothing else prints: what a reader should know meanwhile is an event.
    """
    console = conversation()
    shown: _Board | _Lines | None = None
    whole = False
    try:
        with interrupts.deferred():
            shown = _Board(console) if redraws(console) else _Lines(console)
        with interrupts.saying_again(partial(shown.tell, _STILL_ENDING)):
            yield _without_consequences(shown.tell)
        whole = True
    finally:
        if shown is not None:
            with interrupts.deferred():
                shown.close(whole=whole)


def _without_consequences(tell: Listener) -> Listener:
    """After Ctrl-C the connections are closed; what still ran on them failed for no other reason."""

    def listener(event: Event) -> None:
        if event.state == "failed" and interrupts.received() is not None:
            event = replace(event, state="note", text="interrupted")
        tell(event)

    return listener


def line(event: Event) -> str:
    """One event as one line of plain text."""
    node = f"{event.node}: " if event.node else ""
    words = {
        "started": "…",
        "done": "done",
        "unchanged": "in place",
        "failed": "FAILED",
        "note": "",
        "progress": "…",
    }
    parts = [f"{node}{event.task}", words[event.state], event.text or _amount(event)]
    return harmless(" ".join(part for part in parts if part), _MOST_OF_A_LINE)


class _Teller(ABC):
    """Hears events in any thread and gives them to one thread, which alone prints."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # Only append and popleft: neither needs a lock, so that a signal handler may call ``tell`` too.
        self._heard: deque[Event] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lingctl-progress", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Hear one event."""
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
        heard = list[Event]()
        while self._heard:
            heard.append(self._heard.popleft())
        self._print(heard)

    @abstractmethod
    def _print(self, heard: list[Event]) -> None:
        """Show what was heard since the last time."""

    @abstractmethod
    def _finish(self, whole: bool) -> None:
        """Show what is left; ``whole`` as in ``close``."""


class _Lines(_Teller):
    """Says each change of state once; amounts at most every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._last: dict[tuple[str, str], tuple[str, float]] = {}
        super().__init__(console)

    def _print(self, heard: list[Event]) -> None:
        for event in heard:
            now = time.monotonic()
            key = (event.node, event.task)
            state, said_at = self._last.get(key, ("", 0.0))
            goes_on = event.state == "progress" and state in ("progress", "started")
            if goes_on and now - said_at < _SAY_AGAIN_SECONDS:
                continue
            self._last[key] = (event.state, now)
            show(words(line(event)), out=self._console)

    def _finish(self, whole: bool) -> None:
        """Nothing is left: each line stands."""


class _Board(_Teller):
    """What has ended stays as lines; what is under way is redrawn below them, in as many lines as fit."""

    def __init__(self, console: Console) -> None:
        self._under_way: dict[tuple[str, str], Event] = {}
        self._live = Live(
            words(""),
            console=console,
            auto_refresh=False,
            # Standard output is an answer, and may be a file; what a library prints to standard error is
            # shown above the table.
            redirect_stdout=False,
            vertical_overflow="visible",
        )
        self._live.start()
        super().__init__(console)

    def _print(self, heard: list[Event]) -> None:
        ended = list[Text]()
        for event in heard:
            key = (event.node, event.task)
            if event.state in ("started", "progress"):
                self._under_way[key] = event
                continue
            if event.state != "note":
                self._under_way.pop(key, None)
            ended.append(_ended(event))
        if not heard:
            return
        with self._console:  # one write for both: nobody sees the table twice
            if ended:
                show(words("\n").join(ended), out=self._console)
            self._live.update(_table(list(self._under_way.values()), self._console.height), refresh=True)

    def _finish(self, whole: bool) -> None:
        if whole:
            self._under_way.clear()  # all is done; some only told how far they were
        self._live.update(_table(list(self._under_way.values()), self._console.height))
        self._live.stop()


def _ended(event: Event) -> Text:
    mark, style = _MARKS[event.state]
    if event.state == "note":
        return words(f"{mark} {line(event)}", style)
    told = words(mark, style)
    detail = "" if event.state == "failed" else "dim"
    for part, look in ((event.node, "bold"), (event.task, ""), (event.text, detail)):
        if part:
            told.append(words(f" {part}", look, _MOST_OF_A_LINE))
    return told


def _table(events: list[Event], height: int) -> Table:
    """A line for each of what is under way; what does not fit is counted."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    room = max(1, height - 2)
    fit = events if len(events) <= room else events[: room - 1]
    for event in fit:
        mark, style = _MARKS[event.state]
        table.add_row(
            words(mark, style),
            words(event.node, "bold", _MOST_OF_A_LINE),
            words(event.task, "", _MOST_OF_A_LINE),
            words((event.text or _amount(event)).replace("\n", " "), "dim", _MOST_OF_A_LINE),
        )
    if len(fit) < len(events):
        table.add_row("", "", words(f"and {len(events) - len(fit)} more"), "")
    return table


def _amount(event: Event) -> str:
    if not event.total:
        return ""
    return f"{100 * event.done // event.total}% of {size(event.total)}"


def size(count: int) -> str:
    """Bytes in decimal units, as disks are sold: ``33.6 GB``."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
