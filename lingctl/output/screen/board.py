"""What runs now, as lines for a screen of any size. Pure: events and the time come in, lines go out.

Each running step has a line while they fit. Else each task has one, with how many nodes are how far with it
and which failed, and below it the slowest of those that run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from lingctl.events import Event, State
from lingctl.output.amounts import clock, size
from lingctl.output.screen.harmless import harmless
from lingctl.output.screen.terminal import blanks, cut, filled, joined, one_line, words

_MOST_OF_A_LINE = 1_000
# A rate is that of the last seconds: a hub or a disk may have been slower before.
_RATE_SECONDS = 20.0
_LEAST_RATE_SECONDS = 2.0
_LEAST_TOLD_SECONDS = 10
_LEAST_OF_A_TASK = 8
_MOST_NAMES = 5


# What stands before a line, and its style, by the event's state.
Marks = Mapping[State, tuple[str, str]]
MARKS: Marks = {
    "started": ("…", "cyan"),
    "progress": ("…", "cyan"),
    "done": ("✓", "green"),
    "unchanged": ("=", "dim"),
    "failed": ("✗", "bold red"),
    "interrupted": ("·", "dim"),
    "note": ("·", "dim"),
}
_IN_ASCII = str.maketrans("…✓✗·", ">+x-")
# For a terminal that shows ASCII alone.
PLAIN_MARKS: Marks = {state: (mark.translate(_IN_ASCII), style) for state, (mark, style) in MARKS.items()}
_ENDS: Mapping[State, str] = {"done": "done", "unchanged": "in place", "failed": "FAILED"}


@dataclass
class _Step:
    """One task on one node, from its first event to its last."""

    event: Event
    began: float
    done: int = 0
    total: int = 0
    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def hear(self, event: Event, now: float) -> None:
        """Take the next event of it."""
        self.event = event
        if event.state not in ("started", "progress"):
            self.done = max(self.done, self.total if event.state in ("done", "unchanged") else 0)
            return
        self.done, self.total = event.done, event.total or 0
        if event.done:
            self.samples.append((now, event.done))
            while now - self.samples[0][0] > _RATE_SECONDS:
                self.samples.popleft()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.event.state in ("started", "progress")

    @property
    def rate(self) -> float:
        """How much a second, of late; 0 where that is not known."""
        if not self.samples or self.samples[-1][0] - self.samples[0][0] < _LEAST_RATE_SECONDS:
            return 0.0
        (first, before), (last, after) = self.samples[0], self.samples[-1]
        return max(0.0, (after - before) / (last - first))

    @property
    def share(self) -> float:
        """How much of it is done, where it is known how much it is; else 0."""
        return self.done / self.total if self.total else 0.0


class Board:
    """Hears events, and knows what runs."""

    def __init__(self, marks: Marks = MARKS) -> None:
        self._marks = marks
        self._steps: dict[tuple[str, str], _Step] = {}

    def hear(self, event: Event, now: float) -> Text | None:
        """Take an event; the line that stays, where it tells an end or is a note.

        Args:
            now: seconds of any clock that only goes forward.
        """
        if event.state == "note":
            mark, style = self._marks["note"]
            return words(f"{mark} {line(event, self._marks)}", style)
        key = (event.task, event.node)
        before = self._steps.get(key)
        step = before if before is not None and before.runs else _Step(event, now)
        step.hear(event, now)
        self._steps[key] = step
        return None if step.runs else self._ended(step, now)

    @property
    def runs(self) -> bool:
        """Whether anything does."""
        return any(step.runs for step in self._steps.values())

    def end(self) -> None:
        """All is done; some only told how far they were."""
        self._steps.clear()

    def lines(self, width: int, height: int, now: float) -> list[Text]:
        """What runs now, in lines that are no wider than a screen and leave room for what stands above."""
        running = [step for step in self._steps.values() if step.runs]
        room = max(1, height - 2)
        if len(running) <= room:
            return self._rows(running, width, now)
        room = max(1, height // 2)  # what has ended is to be seen too
        tasks = list(dict.fromkeys(step.event.task for step in running))
        folded = [
            self._task_line([step for step in self._steps.values() if step.event.task == task], now)
            for task in tasks[: max(1, room - 2)]
        ]
        slowest = sorted(running, key=lambda step: (step.share, step.began))[: max(0, room - len(folded) - 1)]
        left = f"  and {len(running) - len(slowest)} more run"
        if len(folded) < len(tasks):
            left += f", at {len(tasks) - len(folded)} other steps"
        told = [*folded, *self._rows(slowest, width, now), words(left, "dim")]
        return [cut(one, width) for one in told][:room]

    def _task_line(self, steps: Sequence[_Step], now: float) -> Text:
        """How many nodes are how far with one task, worst first."""
        running = [step for step in steps if step.runs]
        failed = [step.event.node for step in steps if step.event.state == "failed"]
        done = len(steps) - len(running) - len(failed)
        parts = (
            (f" {steps[0].event.task} ", "bold"),
            (clock(now - min(step.began for step in running)), "cyan"),
            (f"  {len(failed)} failed," if failed else " ", "bold red"),
            (f" {len(running)} of {len(steps)} run, {done} done", ""),
            (f"  {_amount_of_all(steps)}".rstrip(), "dim"),
            (f"  (failed: {_names(failed)})" if failed else "", "bold red"),
        )
        return joined(words(*self._marks["started"]), *(words(part, look) for part, look in parts))

    def _rows(self, steps: Sequence[_Step], width: int, now: float) -> list[Text]:
        """A line for each step: where, what, since when, how far."""
        parts = [
            (
                words(*self._marks[step.event.state]),
                cut(words(one_line(step.event.node), "bold", _MOST_OF_A_LINE), width // 2 - 3),
                words(one_line(step.event.task), "", _MOST_OF_A_LINE),
                words(clock(now - step.began), "cyan"),
                words(
                    one_line(step.event.text or _amount(step.done, step.total, step.rate)),
                    "dim",
                    _MOST_OF_A_LINE,
                ),
            )
            for step in steps
        ]
        nodes = max((node.cell_len for _, node, *_ in parts), default=0)
        tasks = max((task.cell_len for _, _, task, *_ in parts), default=0)
        since = max((time.cell_len for *_, time, _ in parts), default=0)
        lines = list[Text]()
        for mark, node, task, time, detail in parts:
            first = joined(mark, blanks(1), filled(node, nodes + 1)) if node else mark + " "
            # What is told last is cut first, the task next; where and since when are always seen.
            room = max(_LEAST_OF_A_TASK, width - first.cell_len - since - 2 - len(" ..") * bool(detail))
            wide = tasks + (0 if node else first.cell_len and nodes and nodes + 1)
            shown = cut(task, room + 1) if task.cell_len > room else filled(task, min(wide, room))
            time = filled(time, since) if wide <= room else time
            lines.append(cut(joined(first, shown, blanks(1), time, blanks(1), detail), width))
        return lines

    def _ended(self, step: _Step, now: float) -> Text:
        event = step.event
        told = words(*self._marks[event.state])
        detail = "" if event.state == "failed" else "dim"
        took = now - step.began
        for part, look in (
            (event.node, "bold"),
            (event.task, ""),
            (event.text, detail),
            (f"({clock(took)})" if took >= _LEAST_TOLD_SECONDS else "", "dim"),
        ):
            if part:
                told.append(words(f" {part}", look, _MOST_OF_A_LINE))
        return told


def line(event: Event, marks: Marks = MARKS) -> str:
    """One event as one line of plain text."""
    node = f"{event.node}: " if event.node else ""
    goes_on = "…" if marks is MARKS else "..."
    said = goes_on if event.state in ("started", "progress") else _ENDS.get(event.state, "")
    parts = [f"{node}{event.task}", said, event.text or _share(event.done, event.total or 0)]
    return harmless(" ".join(part for part in parts if part), _MOST_OF_A_LINE)


def _amount_of_all(steps: Iterable[_Step]) -> str:
    counted = [step for step in steps if step.total]
    running = [step for step in counted if step.runs]
    done, total = sum(step.done for step in counted), sum(step.total for step in counted)
    if any(step.event.text for step in running):  # it says what is counted, and that need not be bytes
        return f"{100 * done // total}%"
    return _amount(done, total, sum(step.rate for step in running))


def _amount(done: int, total: int, rate: float) -> str:
    """How far something is, how fast, and how long it still takes; empty where it has no numbers."""
    parts = [_share(done, total) or (size(done) if done else "")]
    if rate:
        parts.append(f"{size(rate)}/s")
        if total > done:
            parts.append(f"{clock((total - done) / rate)} left")
    return ", ".join(part for part in parts if part)


def _share(done: int, total: int) -> str:
    return f"{100 * done // total}% of {size(total)}" if total else ""


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
