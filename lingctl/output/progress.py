"""The one way to show progress: a live table on a terminal, one line per change of state in a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table
from rich.text import Text

from lingctl.events import Event, Listener
from lingctl.output.terminal import conversation

_MARKS = {
    "started": ("…", "cyan"),
    "progress": ("…", "cyan"),
    "done": ("✓", "green"),
    "unchanged": ("=", "dim"),
    "failed": ("✗", "bold red"),
    "note": ("·", "dim"),
}


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener that shows what it hears until the block ends. Safe to call from many threads."""
    console = conversation()
    if not console.is_terminal:
        lines = _Lines()
        yield lines
        return
    board = _Board()
    with Live(board, console=console, refresh_per_second=8, transient=False) as live:
        board.live = live
        yield board
        live.update(board, refresh=True)


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
    return " ".join(part for part in parts if part)


class _Lines:
    """Says each change of state once; amounts at most every ten seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], tuple[str, float]] = {}

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        key = (event.node, event.task)
        with self._lock:
            state, said_at = self._last.get(key, ("", 0.0))
            if event.state == "progress" and state in ("progress", "started") and now - said_at < 10:
                return
            self._last[key] = (event.state, now)
            conversation().print(Text(line(event)), soft_wrap=True)


class _Board:
    """Latest state of each task of each node, redrawn in place."""

    def __init__(self) -> None:
        self.live: Live | None = None
        self._lock = threading.Lock()
        self._events: dict[tuple[str, str], Event] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            if event.state == "note" and self.live:
                self.live.console.print(Text(line(event), style="dim"))
            else:
                self._events[(event.node, event.task)] = event

    def __rich__(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        with self._lock:
            shown = list(self._events.values())[-40:]
        for event in shown:
            mark, style = _MARKS[event.state]
            table.add_row(
                Text(mark, style=style),
                Text(event.node, style="bold"),
                Text(event.task),
                Text(event.text or _amount(event), style="dim"),
            )
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
