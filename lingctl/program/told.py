"""What a download tells, as events of ours."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.events import Event, Listener
from lingctl.node.progress import Report
from lingctl.program.here import progress_event


def reporting(listener: Listener, node: str = "") -> Report:
    """What a download here or on a node reports to."""

    def report(event: Mapping[str, object]) -> None:
        if event.get("event") == "progress":
            told = progress_event(event)
            state = "progress" if told.task == "download" else told.state
            listener(Event(told.task, state, node, told.text, told.done, told.total))
        elif event.get("event") == "note":
            listener(Event("download", "note", node, str(event.get("text", ""))))

    return report
