"""The audit log of a node: a JSON line for every change, and for where a run began and ended. Pure.

It is also the journal: a run that began and did not end well tells what was done before it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lingctl.assets import shell
from lingctl.node.foreign_json import foreign_json
from lingctl.remote.command import Command, script

_SHOW = shell("ask/journal")
Result = Literal["begun", "done", "failed", "interrupted"]

# What ``read_journal`` calls a line that is no entry.
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ChangeRun:
    """One run of lingctl that changes nodes."""

    id: str  # the same on every node
    command: str  # what was typed
    who: str  # user and machine


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that did not end well on a node."""

    run: ChangeRun
    begun: str  # when, by the clock of the machine it was started on
    done: tuple[str, ...]  # titles of the steps that were done, in order
    left: tuple[str, ...]  # titles of the steps that were not
    failed: str = ""  # what went wrong, if it said so
    unread: int = 0  # lines after its begin that cannot be read: it may have done more

    @property
    def description(self) -> str:
        """One line for the operator."""
        if not self.run.id:
            return f"a change of {self.begun}: it is not known what it did and how it ended: {self.failed}"
        how = f"failed: {self.failed}" if self.failed else "did not finish"
        after = f"after {self.done[-1]!r}" if self.done else "before its first step"
        left = f", not done: {', '.join(self.left)}" if self.left else ""
        lines = f"{self.unread} line{'s' if self.unread > 1 else ''} of its log cannot be read"
        more = f"; {lines}, so that more may be done" if self.unread else ""
        return f"{self.run.command} by {self.run.who} of {self.begun} {how}, {after}{left}{more}"


def begin_line(run: ChangeRun, time: str, steps: Sequence[str]) -> str:
    """The line that opens a run on a node, with all that it means to do there."""
    return _line(run, time, event="begin", command=run.command, who=run.who, steps=list(steps))


def step_line(run: ChangeRun, time: str, title: str, result: Result, what: str = "") -> str:
    """The line of one change."""
    return _line(
        run, time, event="step", who=run.who, step=title, result=result, **({"what": what} if what else {})
    )


def end_line(run: ChangeRun, time: str, result: Result, what: str = "") -> str:
    """The line that closes a run on a node."""
    return _line(run, time, event="end", result=result, **({"what": what} if what else {}))


def journal_command(path: str, lines: int) -> Command:
    """The last lines of an audit log; fails where it is there and cannot be read.

    A full log is set aside as ``.1`` in the middle of a change: what began there ends here.
    """
    return script(_SHOW, path, lines, title="read the audit log")


def read_journal(text: str) -> list[dict[str, Any]]:
    """The entries of an audit log. A line that is none, such as one cut short, is an entry ``unreadable``."""
    entries: list[dict[str, Any]] = []
    for line in filter(None, text.split("\n")):
        entry = _entry(line)
        if entry is None:
            time = entries[-1].get("time", "") if entries else ""
            what = f"a line of {len(line)} characters cannot be read: {line[:60]}"
            entry = {"time": time, "event": UNREADABLE, "run": "", "what": what}
        entries.append(entry)
    return entries


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = foreign_json(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not {"event", "run"} <= entry.keys():
        return None
    steps = entry.pop("steps", None)
    plain = all(isinstance(value, str) for value in entry.values())
    if not plain or (entry["event"] == "step" and "step" not in entry):
        return None
    if steps is None:
        return entry
    whole = isinstance(steps, list) and all(isinstance(title, str) for title in steps)
    return {**entry, "steps": steps} if whole else None


def unfinished(entries: Sequence[Mapping[str, Any]]) -> Unfinished | None:
    """The last run, if it did not end well; None when it did or there was none.

    A line that cannot be read may be a run's begin: where nothing ended well after it, it counts as one.
    """
    begins = [number for number, entry in enumerate(entries) if entry["event"] == "begin"]
    if not begins:
        return _unreadable(entries)
    begin, rest = entries[begins[-1]], entries[begins[-1] + 1 :]
    own = [entry for entry in rest if entry["run"] == begin["run"]]
    end = next((entry for entry in reversed(own) if entry["event"] == "end"), None)
    if end is not None and end.get("result") == "done":
        return _unreadable(rest[rest.index(end) + 1 :])
    done = tuple(_steps(own, "done"))
    what = next(
        (str(entry["what"]) for entry in own if entry.get("result") == "failed" and entry.get("what")), ""
    )
    return Unfinished(
        ChangeRun(str(begin["run"]), str(begin.get("command", "a change")), str(begin.get("who", "unknown"))),
        str(begin.get("time", "an unknown time")),
        done,
        tuple(str(title) for title in begin.get("steps", ()) if title not in done),
        what,
        sum(entry["event"] == UNREADABLE for entry in rest),
    )


def _unreadable(entries: Sequence[Mapping[str, Any]]) -> Unfinished | None:
    """A run of which nothing can be read, if a line of it is left after all that ended well."""
    lost: Mapping[str, Any] | None = None
    for entry in entries:
        if entry["event"] == UNREADABLE:
            lost = lost or entry
        elif entry["event"] == "end" and entry.get("result") == "done":
            lost = None
    if lost is None:
        return None
    run = ChangeRun("", "a change", "somebody")
    return Unfinished(run, str(lost.get("time")) or "an unknown time", (), (), str(lost["what"]))


def _steps(entries: Iterable[Mapping[str, Any]], result: str) -> Iterable[str]:
    return (
        str(entry["step"]) for entry in entries if entry["event"] == "step" and entry.get("result") == result
    )


def _line(run: ChangeRun, time: str, **content: object) -> str:
    return json.dumps({"time": time, "run": run.id, **content}, ensure_ascii=False)
