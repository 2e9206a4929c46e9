"""What the node program says, line by line, and its result as the type that was asked for. Pure.

Each line is a JSON object with an ``event``; the last one is its result or its error. Anything else that is
printed on the way (by a container runtime, by Python) is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from lingctl.node.foreign_json import foreign_json
from lingctl.remote.wire.lines import LineCutter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import TypeAdapter

T = TypeVar("T")
Said = Mapping[str, Any]
# By type: one takes longer to make than an answer to read, and every node answers.
_readers: dict[object, TypeAdapter[Any]] = {}
_LONGEST_LINE = 64 * 1024 * 1024


class Answers:
    """The lines of a program as they come.

    Attributes:
        last: its result or error; empty as long as there is none.
    """

    def __init__(self, hear: Callable[[Said], None] | None = None) -> None:
        """Nothing was said yet; ``hear`` gets every event but result and error."""
        self.last: Said = {}
        self._hear = hear
        self._lines = LineCutter(self._line, _LONGEST_LINE)

    def __call__(self, part: bytes) -> None:
        """The next bytes of its standard output."""
        self._lines(part)

    def _line(self, line: bytes, left_out: int) -> None:
        event = None if left_out else _event(line)
        if event is None:
            return
        if event["event"] in ("result", "error"):
            self.last = event
        elif self._hear:
            self._hear(event)

    @property
    def result(self) -> Said | None:
        """What it answered, if it did."""
        return self.last if self.last.get("event") == "result" else None

    @property
    def trouble(self) -> Said | None:
        """What it found wrong, if it did."""
        return self.last if self.last.get("event") == "error" else None


def read_answers(text: str, hear: Callable[[Said], None] | None = None) -> Answers:
    """What a program that has ended had said; ``hear`` gets every event but result and error."""
    answers = Answers(hear)
    answers(text.encode() + b"\n")
    return answers


def read_result(kind: type[T], result: Said) -> T:
    """A result as a dataclass: every field without a default must be there, and have its type.

    Raises:
        ValueError: it is another thing.
    """
    # Through JSON, which has no tuples: so a list may be read as one although nothing else is bent.
    if kind not in _readers:
        from pydantic import TypeAdapter  # takes long to load, and help needs none

        _readers[kind] = TypeAdapter(kind)
    answer: T = _readers[kind].validate_json(json.dumps(result), strict=True)
    return answer


def as_document(answer: DataclassInstance) -> dict[str, Any]:
    """A dataclass as plain data; what it does not tell (None) is left out."""
    return asdict(answer, dict_factory=lambda told: {name: it for name, it in told if it is not None})


def _event(line: bytes) -> Said | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        event = foreign_json(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
