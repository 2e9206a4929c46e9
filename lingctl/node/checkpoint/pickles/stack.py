"""The stack of the machine that reads a pickle, and what it takes from the bytes."""

from __future__ import annotations

import struct
from typing import Callable, Dict, List, Tuple

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.stand_ins import Global
from lingctl.node.checkpoint.refusals import malformed, refused
from lingctl.node.checkpoint.window import Window

LONGEST_NAME = 512
_HIGHEST_PROTOCOL = 5
U8, U16, U32, I32, U64 = map(struct.Struct, ("<B", "<H", "<I", "<i", "<Q"))

# What a persistent id stands for.
Persistent = Callable[[object], object]


class Stack:
    """Values and marks, each paid for from the budget."""

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

    def number(self, layout: struct.Struct) -> int:
        """The next bytes as a number."""
        value: int = layout.unpack(self._take(layout.size))[0]
        return value

    def length(self, layout: struct.Struct) -> int:
        """A number of bytes that follow. Raises Trouble: there are not that many."""
        count = self.number(layout)
        if not 0 <= count <= self._window.left:
            left = self._window.left
            raise malformed(f"{count} bytes wanted at offset {self._window.place}, {left} left")
        return count

    def word(self) -> str:
        """The next line, which is a part of a name."""
        line = self._window.line(LONGEST_NAME)
        if line is None:
            raise malformed(f"a name of more than {LONGEST_NAME} bytes")
        return as_text(line)

    # Stack

    def push(self, value: object, size: int = cost.SLOT) -> None:
        """Put a value on top, for so many bytes of the budget."""
        self._budget.spend(size)
        self._stack.append(value)

    def pop(self) -> object:
        """Take the value on top."""
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise malformed("it takes a value from an empty stack")
        return self._stack.pop()

    def pop_some(self, count: int) -> List[object]:
        """Take so many, in the order in which they came."""
        return [self.pop() for _ in range(count)][::-1]

    def pop_mark(self) -> List[object]:
        """Take the last mark and the values above it."""
        if not self._marks:
            raise malformed("it takes a mark that is not there")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def top(self) -> object:
        """The value on top, which stays."""
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise malformed("it changes a value that is not there")
        return self._stack[-1]

    # Opcodes: framing and the stack

    def proto(self) -> None:
        version = self.number(U8)
        if version > _HIGHEST_PROTOCOL:
            raise refused(f"uses pickle protocol {version}")

    def stop(self) -> None:
        self._stopped = True

    def mark(self) -> None:
        self._budget.spend(cost.SLOT)
        self._marks.append(len(self._stack))

    def drop(self) -> None:
        if self._marks and len(self._stack) == self._marks[-1]:
            self._marks.pop()
        else:
            self.pop()


def as_text(raw: bytes, encoding: str = "utf-8") -> str:
    """The text that bytes of a pickle are. Raises Trouble: they are none."""
    try:
        # As pickle writes them: half of a surrogate pair may stand in a name.
        return raw.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise malformed(f"a text that is not {encoding}: {error.reason}") from None
