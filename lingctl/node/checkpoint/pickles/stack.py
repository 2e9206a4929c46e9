"""The stack of the machine that reads a pickle, and what it takes from the bytes."""

from __future__ import annotations

import struct
from typing import Callable, Dict, List, Tuple

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.refusals import malformed, refused
from lingctl.node.checkpoint.pickles.stand_ins import Global
from lingctl.node.checkpoint.window import Window

LONGEST_NAME = 512
_HIGHEST_PROTOCOL = 5
U8, U16, U32, I32, U64 = map(struct.Struct, ("<B", "<H", "<I", "<i", "<Q"))

# What a persistent id stands for.
Persistent = Callable[[object], object]


class Stack:
    """Values and marks, each paid for from the budget. Methods without an underscore are opcodes."""

    def __init__(self, window: Window, persistent: Persistent, budget: Budget) -> None:
        self._window = window
        self._take = window.take
        self._persistent = persistent
        self._budget = budget
        self._stack: List[object] = []
        self._marks: List[int] = []
        # Places are nearly always given in order; one far out costs one entry and no table of that length.
        self._memo: List[object] = []
        self._far_memo: Dict[int, object] = {}
        self._names: Dict[Tuple[str, str], Global] = {}
        self._stopped = False

    def _place(self) -> str:
        """The key being filled in: the nearest text below the top of the stack."""
        for value in reversed(self._stack[-40:]):
            if isinstance(value, str) and value != "storage":
                return f"near {value[:200]!r}"
        return "at the top level"

    # Input

    def _number(self, layout: struct.Struct) -> int:
        value: int = layout.unpack(self._take(layout.size))[0]
        return value

    def _length(self, layout: struct.Struct) -> int:
        count = self._number(layout)
        if not 0 <= count <= self._window.left:
            left = self._window.left
            raise malformed(f"{count} bytes wanted at offset {self._window.place}, {left} left")
        return count

    def _word(self) -> str:
        line = self._window.line(LONGEST_NAME)
        if line is None:
            raise malformed(f"a name of more than {LONGEST_NAME} bytes")
        return as_text(line)

    # Stack

    def _push(self, value: object, size: int = cost.SLOT) -> None:
        self._budget.spend(size)
        self._stack.append(value)

    def _pop(self) -> object:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise malformed("it takes a value from an empty stack")
        return self._stack.pop()

    def _pop_mark(self) -> List[object]:
        if not self._marks:
            raise malformed("it takes a mark that is not there")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _top(self) -> object:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise malformed("it changes a value that is not there")
        return self._stack[-1]

    # Opcodes: framing and the stack

    def proto(self) -> None:
        version = self._take(1)[0]
        if version > _HIGHEST_PROTOCOL:
            raise refused(f"uses pickle protocol {version}")

    def frame(self) -> None:
        self._length(U64)

    def stop(self) -> None:
        self._stopped = True

    def mark(self) -> None:
        self._budget.spend(cost.SLOT)
        self._marks.append(len(self._stack))

    def pop(self) -> None:
        if self._marks and len(self._stack) == self._marks[-1]:
            self._marks.pop()
        else:
            self._pop()

    def pop_mark(self) -> None:
        self._pop_mark()

    def duplicate(self) -> None:
        self._push(self._top())


def as_text(raw: bytes, encoding: str = "utf-8") -> str:
    """The text that bytes of a pickle are. Raises Trouble: they are none."""
    try:
        # As pickle writes them: half of a surrogate pair may stand in a name.
        return raw.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise malformed(f"a text that is not {encoding}: {error.reason}") from None
