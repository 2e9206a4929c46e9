"""What a node program reports and finds wrong, as events and errors of lingctl: the same for every verb."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lingctl.errors import LingctlError, LockedError, NodeError, UsageError, WeightsError
from lingctl.events import Event, Listener
from lingctl.node.files import system_trouble
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble

# Another one is at work in the same place.
_LOCKED = frozenset({"locked", "download-running"})
# Of the machine, and of what is not weights; all other trouble of the node program is with weights.
_OF_THE_NODE = frozenset(
    {"disk-full", "disk-error", "file-limit", "not-allowed", "system", "internal", "interrupted", "no-torch"}
)
_OF_THE_NODE_TOO = ("prove-no-arrays", "prove-request", "overlay-", "npu-", "no-npu")
_DOWNLOAD = "download"
# No folder is larger, and no time left is longer: what says so tells nothing.
_MOST_BYTES = 1 << 63
_LONGEST_LEFT = 1e9  # seconds


def program_error(trouble: Mapping[str, object], node: str = "", doing: str = "") -> LingctlError:
    """A program's trouble as our error; what it is does not depend on who asked. No node: this process."""
    what, where, evidence, remedy, code = (
        str(trouble.get(name) or "") for name in ("what", "where", "evidence", "remedy", "code")
    )
    return _kind(code, trouble.get("exit_status"))(
        f"{doing}: {what}" if doing else what,
        where=" ".join(part for part in (node, where) if part),
        evidence=evidence,
        remedy=remedy,
        code=code,
    )


def _kind(code: str, exit_status: object) -> type[LingctlError]:
    if exit_status == LockedError.exit_status or code in _LOCKED:
        return LockedError
    if exit_status == UsageError.exit_status:
        return UsageError
    if code in _OF_THE_NODE or code.startswith(_OF_THE_NODE_TOO):
        return NodeError
    return WeightsError


@contextmanager
def troubles_as_errors() -> Iterator[None]:
    """Raise what a node program finds wrong in this process as an error of lingctl.

    Raises:
        LingctlError: which one is told by ``program_error``.
    """
    try:
        yield
    except OSError as error:
        raise program_error(system_trouble(error).as_event()) from error
    except Trouble as trouble:
        raise program_error(trouble.as_event()) from trouble


def telling(listener: Listener, node: str = "", step: str = "") -> Report:
    """What a node program, here or on a node, reports to: its progress and notes become events of ours.

    Args:
        node: where the program runs; empty for this process.
        step: what it is done for, if its progress is told as that step's, whose end somebody else tells.
    """

    def report(said: Mapping[str, object]) -> None:
        if said.get("event") == "progress":
            listener(_progress(said, node, step))
        elif said.get("event") == "note":
            listener(Event(step or _DOWNLOAD, "note", node, str(said.get("text", ""))))

    return report


def _progress(said: Mapping[str, object], node: str, step: str) -> Event:
    """A progress event, with rate and time left in words."""
    done, total, rate = (_count(said.get(name)) for name in ("done", "total", "rate"))
    task, text = step or str(said.get("task", "")), ""
    if total and done >= total:
        # Of a step and of a download, who asked for it tells the end.
        goes_on = task in (step, _DOWNLOAD)
        return Event(task, "progress" if goes_on else "done", node, _gigabytes(total), done, total)
    left = said.get("left")
    if rate and isinstance(left, float) and 0 <= left < _LONGEST_LEFT:
        share = 100 * done // max(total, 1)
        part = f"{said['part']}, " if said.get("part") else ""
        text = f"{part}{share}% of {_gigabytes(total)}, {rate / 1e6:.0f} MB/s, {_time(left)} left"
    return Event(task, "progress", node, text, done, total or None)


def _count(value: object) -> int:
    """A number of bytes; 0 for what no honest program counts."""
    return value if isinstance(value, int) and 0 <= value < _MOST_BYTES else 0


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
