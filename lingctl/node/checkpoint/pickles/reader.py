"""Reads the pickle of a state dict as data: an own machine for the few opcodes that one needs.

Nothing is imported, looked up or called; names outside ``builders`` are refused as soon as they are read.
Memory is bounded by ``Budget``, lengths by the bytes that are there, nesting by not recursing at all.
"""

from __future__ import annotations

import struct
from typing import Callable, Dict, List, Optional

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles import builders
from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.stand_ins import Global, Mapping
from lingctl.node.trouble import Trouble

_LONGEST_NAME = 256
_LONGEST_LONG = 16
_HIGHEST_PROTOCOL = 5


def read_pickle(data: bytes) -> object:
    """The object that ``data`` describes, with stand-ins for tensors and storages.

    Raises:
        Trouble: the pickle asks for anything beyond plain containers and tensors, or is malformed.
    """
    return _Machine(data).run()


class _Machine:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: List[object] = []
        self._marks: List[int] = []
        self._memo: Dict[int, object] = {}
        self._budget = Budget()
        self._stopped = False

    def run(self) -> object:
        while not self._stopped:
            start = self._at
            opcode = self._take(1)[0]
            self._budget.spend(cost.SLOT)
            action = _ACTIONS.get(opcode)
            if action is None:
                raise builders.refused(f"uses pickle opcode 0x{opcode:02x} at offset {start}")
            try:
                action(self)
            except Trouble as trouble:
                trouble.where = trouble.where or self._place()
                trouble.evidence = trouble.evidence or f"pickle opcode 0x{opcode:02x} at offset {start}"
                raise
        if len(self._stack) != 1 or self._marks:
            raise builders.malformed("it ends with values left over")
        return self._stack[0]

    def _place(self) -> str:
        """The key being filled in: the nearest text below the top of the stack."""
        for value in reversed(self._stack[-40:]):
            if isinstance(value, str) and value != "storage":
                return f"near {value[:200]!r}"
        return "at the top level"

    # Input

    def _take(self, count: int) -> bytes:
        if count < 0 or count > len(self._data) - self._at:
            left = len(self._data) - self._at
            raise builders.malformed(f"{count} bytes wanted at offset {self._at}, {left} left")
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def _number(self, layout: str) -> int:
        value: int = struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        return value

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + _LONGEST_NAME + 1)
        if end < 0:
            raise builders.malformed(f"no end of line for a name at offset {self._at}")
        text = _text(self._take(end - self._at))
        self._at += 1
        return text

    # Stack

    def _push(self, value: object, size: int = 0) -> None:
        self._budget.spend(size)
        self._stack.append(value)

    def _pop(self) -> object:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise builders.malformed("it takes a value from an empty stack")
        return self._stack.pop()

    def _pop_mark(self) -> List[object]:
        if not self._marks:
            raise builders.malformed("it takes a mark that is not there")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _top(self) -> object:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise builders.malformed("it changes a value that is not there")
        return self._stack[-1]

    # Opcodes

    def proto(self) -> None:
        version = self._number("<B")
        if not 2 <= version <= _HIGHEST_PROTOCOL:
            raise builders.refused(f"uses pickle protocol {version}")

    def frame(self) -> None:
        size = self._number("<Q")
        if size > len(self._data) - self._at:
            raise builders.malformed(f"a frame of {size} bytes, {len(self._data) - self._at} left")

    def stop(self) -> None:
        self._stopped = True

    def mark(self) -> None:
        self._budget.spend(cost.SLOT)
        self._marks.append(len(self._stack))

    def constant(self, value: object) -> None:
        self._push(value)

    def integer(self, layout: str) -> None:
        self._push(self._number(layout), 32)

    def long(self) -> None:
        size = self._number("<B")
        if size > _LONGEST_LONG:
            raise builders.malformed(f"an integer of {size} bytes")
        self._push(int.from_bytes(self._take(size), "little", signed=True), cost.OBJECT)

    def real(self) -> None:
        self._push(struct.unpack(">d", self._take(8))[0], 32)

    def text(self, layout: str) -> None:
        raw = self._take(self._number(layout))
        self._budget.spend(cost.OBJECT + len(raw) * (1 if raw.isascii() else 4))
        self._push(_text(raw))

    def octets(self, layout: str) -> None:
        raw = self._take(self._number(layout))
        self._push(raw, cost.OBJECT + len(raw))

    def empty_tuple(self) -> None:
        self._push(())

    def empty_list(self) -> None:
        self._push([], cost.OBJECT)

    def empty_dict(self) -> None:
        self._push(Mapping(), 2 * cost.OBJECT)

    def tuple_of(self, count: Optional[int]) -> None:
        values = self._pop_mark() if count is None else [self._pop() for _ in range(count)][::-1]
        self._push(tuple(values), cost.OBJECT + cost.SLOT * len(values))

    def append(self) -> None:
        self._extend([self._pop()])

    def appends(self) -> None:
        self._extend(self._pop_mark())

    def _extend(self, values: List[object]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise builders.malformed("it appends to something that is no list")
        self._budget.spend(2 * cost.SLOT * len(values))
        target.extend(values)

    def setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def setitems(self) -> None:
        self._update(self._pop_mark())

    def _update(self, values: List[object]) -> None:
        target = self._top()
        if not isinstance(target, Mapping) or len(values) % 2:
            raise builders.malformed("it fills something that is no dict")
        for key, value in zip(values[::2], values[1::2]):
            if not isinstance(key, (str, int, float, bytes, type(None))):
                raise builders.refused(f"has a dict key of type {type(key).__name__}")
            # Longer integers can be chosen so that all have the same hash: filling the dict would never end.
            if isinstance(key, int) and abs(key) >= 2**63:
                raise builders.refused("has a dict key beyond 64 bits")
            if key in target:
                raise builders.malformed(f"the key {str(key)[:200]!r} is there twice")
            self._budget.spend(cost.ENTRY)
            target[key] = value

    def put(self, layout: str) -> None:
        self._remember(self._number(layout))

    def memoize(self) -> None:
        self._remember(len(self._memo))

    def _remember(self, place: int) -> None:
        # A dict, so that a huge index costs one entry and not a table of that length.
        self._budget.spend(cost.MEMO)
        self._memo[place] = self._top()

    def get(self, layout: str) -> None:
        place = self._number(layout)
        if place not in self._memo:
            raise builders.malformed(f"it recalls value {place}, which was never kept")
        self._push(self._memo[place])

    def global_line(self) -> None:
        module = self._line()
        self._name(Global(module, self._line()))

    def global_stack(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise builders.malformed("a name that is no text")
        self._name(Global(module[:_LONGEST_NAME], name[:_LONGEST_NAME]))

    def _name(self, name: Global) -> None:
        if not builders.known(name):
            raise builders.refused(f"names {name.full}")
        self._push(name, 2 * cost.OBJECT)

    def persistent(self) -> None:
        self._push(builders.storage(self._pop()), 2 * cost.OBJECT)

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        self._push(builders.call(function, arguments), 3 * cost.OBJECT)

    def build(self) -> None:
        self._pop()
        if not isinstance(self._top(), Mapping):
            raise builders.refused("sets the state of something that is no OrderedDict")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise builders.malformed(f"a text that is not UTF-8: {error}") from None


_Action = Callable[[_Machine], None]
_ACTIONS: Dict[int, _Action] = {
    0x80: _Machine.proto,
    0x95: _Machine.frame,
    ord("."): _Machine.stop,
    ord("("): _Machine.mark,
    ord("N"): lambda machine: machine.constant(None),
    0x88: lambda machine: machine.constant(True),
    0x89: lambda machine: machine.constant(False),
    ord("K"): lambda machine: machine.integer("<B"),
    ord("M"): lambda machine: machine.integer("<H"),
    ord("J"): lambda machine: machine.integer("<i"),
    0x8A: _Machine.long,
    ord("G"): _Machine.real,
    0x8C: lambda machine: machine.text("<B"),
    ord("X"): lambda machine: machine.text("<I"),
    0x8D: lambda machine: machine.text("<Q"),
    ord("C"): lambda machine: machine.octets("<B"),
    ord("B"): lambda machine: machine.octets("<I"),
    ord(")"): _Machine.empty_tuple,
    ord("]"): _Machine.empty_list,
    ord("}"): _Machine.empty_dict,
    ord("t"): lambda machine: machine.tuple_of(None),
    0x85: lambda machine: machine.tuple_of(1),
    0x86: lambda machine: machine.tuple_of(2),
    0x87: lambda machine: machine.tuple_of(3),
    ord("a"): _Machine.append,
    ord("e"): _Machine.appends,
    ord("s"): _Machine.setitem,
    ord("u"): _Machine.setitems,
    ord("q"): lambda machine: machine.put("<B"),
    ord("r"): lambda machine: machine.put("<I"),
    0x94: _Machine.memoize,
    ord("h"): lambda machine: machine.get("<B"),
    ord("j"): lambda machine: machine.get("<I"),
    ord("c"): _Machine.global_line,
    0x93: _Machine.global_stack,
    ord("Q"): _Machine.persistent,
    ord("R"): _Machine.reduce,
    0x81: _Machine.reduce,
    ord("b"): _Machine.build,
}
