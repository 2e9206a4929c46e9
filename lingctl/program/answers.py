"""What the node program says, line by line, and which error its trouble is: the same for every verb. Pure.

Each line is a JSON object with an ``event``; the last one is its result or its error. Anything else that is
printed on the way (by a container runtime, by Python) is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lingctl.errors import LingctlError, LockedError, NodeError, UsageError, WeightsError

Event = Mapping[str, Any]
# Another one is at work in the same place.
_LOCKED = frozenset({"locked", "download-running"})
# Of the machine, and of what is not weights; all other trouble of the node program is with weights.
_OF_THE_NODE = frozenset(
    {"disk-full", "disk-error", "file-limit", "not-allowed", "system", "internal", "interrupted", "no-torch"}
)
_OF_THE_NODE_TOO = ("overlay-", "npu-", "no-npu")
_LONGEST_LINE = 64 * 1024 * 1024


class Answers:
    """The lines of a program as they come.

    Attributes:
        last: its result or error; empty as long as there is none.
    """

    def __init__(self, hear: Callable[[Event], None] | None = None) -> None:
        """Nothing was said yet.

        Args:
            hear: gets every event but result and error.
        """
        self.last: Event = {}
        self._hear = hear
        self._rest = b""

    def __call__(self, part: bytes) -> None:
        """The next bytes of its standard output."""
        *lines, self._rest = (self._rest + part).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
        for line in lines:
            event = _event(line)
            if event is None:
                continue
            if event["event"] in ("result", "error"):
                self.last = event
            elif self._hear:
                self._hear(event)

    @property
    def result(self) -> Event | None:
        """What it answered, if it did."""
        return self.last if self.last.get("event") == "result" else None

    @property
    def trouble(self) -> Event | None:
        """What it found wrong, if it did."""
        return self.last if self.last.get("event") == "error" else None


def read_answers(text: str) -> Answers:
    """What a program that has ended had said."""
    answers = Answers()
    answers(text.encode() + b"\n")
    return answers


def program_error(trouble: Event, node: str = "", doing: str = "") -> LingctlError:
    """A program's trouble as an error of ours; what it is does not depend on who asked.

    Args:
        trouble: its error event; what is missing in it is empty.
        node: where the program ran; empty for this process.
        doing: the step that it was part of.
    """
    said = dict(_texts(trouble))
    return _kind(said["code"], trouble.get("exit_status"))(
        f"{doing}: {said['what']}" if doing else said["what"],
        where=" ".join(part for part in (node, said["where"]) if part),
        evidence=said["evidence"],
        remedy=said["remedy"],
        code=said["code"],
    )


def _kind(code: str, exit_status: object) -> type[LingctlError]:
    if exit_status == LockedError.exit_status or code in _LOCKED:
        return LockedError
    if exit_status == UsageError.exit_status:
        return UsageError
    if code in _OF_THE_NODE or code.startswith(_OF_THE_NODE_TOO):
        return NodeError
    return WeightsError


def _texts(trouble: Event) -> Iterator[tuple[str, str]]:
    for name in ("what", "where", "evidence", "remedy", "code"):
        yield name, str(trouble.get(name) or "")


def _event(line: bytes) -> Event | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
