"""Node programs run in this process, for folders on this machine: their events and errors become ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lingctl.events import Event, Listener
from lingctl.node.files import system_trouble
from lingctl.node.trouble import Trouble
from lingctl.program.answers import program_error


@contextmanager
def node_errors() -> Iterator[None]:
    """Raise what a node program finds wrong as an error of lingctl.

    Raises:
        LingctlError: which one is told by ``program_error``.
    """
    try:
        yield
    except OSError as error:
        raise program_error(system_trouble(error).as_event()) from error
    except Trouble as trouble:
        raise program_error(trouble.as_event()) from trouble


def reporting(listener: Listener) -> Callable[[Mapping[str, object]], None]:
    """What a node program reports its progress to."""

    def report(event: Mapping[str, object]) -> None:
        listener(progress_event(event))

    return report


def progress_event(event: Mapping[str, object]) -> Event:
    """A progress event of a node program as one of ours, with rate and time left in words."""
    done, total = _number(event.get("done")), _number(event.get("total"))
    task = str(event.get("task", ""))
    if total and done >= total:
        return Event(task, "done", text=_gigabytes(total), done=done, total=total)
    text = ""
    rate, left = _number(event.get("rate")), event.get("left")
    if rate and isinstance(left, float):
        share = 100 * done // max(total, 1)
        text = f"{share}% of {_gigabytes(total)}, {rate / 1e6:.0f} MB/s, {_time(left)} left"
    return Event(task, "progress", text=text, done=done, total=total or None)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
