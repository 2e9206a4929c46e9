"""Reads a pickle as data: an own machine for the opcodes that write values down.

Nothing is imported, looked up or called; what a name may be is decided in ``names`` as soon as it is read.
Memory and time are bounded by ``Budget``, lengths by the bytes that are there, nesting by not recursing at
all. What is long and needed by no state dict is passed over and not kept.
"""

from __future__ import annotations

import codecs
import struct
from typing import Callable, Dict, List, Optional, Tuple

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles import builders, names
from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.refusals import malformed, refused
from lingctl.node.checkpoint.pickles.stand_ins import Global, Mapping, Opaque, Tensor
from lingctl.node.checkpoint.window import Window
from lingctl.node.trouble import Trouble

_LONGEST_NAME = 512
_LONGEST_TEXT = 65_536
_LONGEST_NUMBER = 32
_HIGHEST_PROTOCOL = 5

_NEVER = Opaque("nothing")

# What a persistent id stands for.
Persistent = Callable[[object], object]


def read_pickle(window: Window, persistent: Persistent, budget: Budget) -> object:
    """The object that the next bytes describe, with stand-ins for tensors and storages.

    Args:
        window: stands behind the pickle afterwards.
        persistent: gives the storage or tensor of a persistent id.
        budget: what may be spent, on this one and those that follow.

    Raises:
        Trouble: the pickle asks for something to be run, or is malformed.
    """
    return _Machine(window, persistent, budget).run()


class _Machine:
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

    def run(self) -> object:
        take, step, actions = self._take, self._budget.step, _ACTIONS
        while not self._stopped:
            opcode = take(1)[0]
            step()
            action = actions[opcode]
            if action is None:
                raise refused(f"uses pickle opcode 0x{opcode:02x} at offset {self._window.place - 1}")
            try:
                action(self)
            except Trouble as trouble:
                trouble.where = trouble.where or self._place()
                at = self._window.place
                trouble.evidence = trouble.evidence or f"pickle opcode 0x{opcode:02x} before offset {at}"
                raise
        if len(self._stack) != 1 or self._marks:
            raise malformed("it ends with values left over")
        return self._stack[0]

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
        line = self._window.line(_LONGEST_NAME)
        if line is None:
            raise malformed(f"a name of more than {_LONGEST_NAME} bytes")
        return _text(line)

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
        self._length(_U64)

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

    # Opcodes: plain values

    def constant(self, value: object) -> None:
        self._push(value)

    def small_integer(self) -> None:
        self._push(self._take(1)[0])

    def integer(self, layout: struct.Struct) -> None:
        self._push(self._number(layout), cost.NUMBER)

    def long(self, layout: struct.Struct) -> None:
        size = self._length(layout)
        if size > _LONGEST_NUMBER:
            self._window.skip(size)
            self._push(Opaque(f"a number of {size} bytes"), cost.OPAQUE)
        else:
            self._push(int.from_bytes(self._take(size), "little", signed=True), cost.OBJECT)

    def decimal(self) -> None:
        """INT and LONG of protocols 0 and 1: digits, with an L behind them; 00 and 01 are truth values."""
        line = self._window.line(2 * _LONGEST_NUMBER)
        if line is None:
            value: object = Opaque("a number of many digits")
        elif line in (b"00", b"01"):
            value = line == b"01"
        else:
            value = _parsed(int, line[:-1] if line.endswith(b"L") else line)
        self._push(value, cost.OPAQUE)

    def real(self) -> None:
        self._push(_DOUBLE.unpack(self._take(8))[0], cost.NUMBER)

    def real_line(self) -> None:
        line = self._window.line(2 * _LONGEST_NUMBER)
        self._push(Opaque("a number of many digits") if line is None else _parsed(float, line), cost.OBJECT)

    def text(self, layout: struct.Struct) -> None:
        size = self._length(layout)
        if size > _LONGEST_TEXT:
            self._window.skip(size)
            self._push(Opaque(f"a text of {size} bytes"), cost.OPAQUE)
            return
        raw = self._take(size)
        self._budget.spend(cost.OBJECT + size * (1 if raw.isascii() else 4))
        self._push(_text(raw))

    def text_line(self) -> None:
        self._line_value(lambda line: _text(line, "raw-unicode-escape"))

    def string(self, layout: struct.Struct) -> None:
        """Strings of Python 2: texts as a rule, and bytes where they are none."""
        size = self._length(layout)
        if size > _LONGEST_TEXT:
            self.octets_of(size)
            return
        raw = self._take(size)
        self._push(_text_or_bytes(raw), cost.OPAQUE + 4 * size)

    def string_line(self) -> None:
        def unquoted(line: bytes) -> object:
            if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
                raise malformed("a string without quotes")
            return _text_or_bytes(codecs.escape_decode(line[1:-1])[0])

        self._line_value(unquoted)

    def _line_value(self, parse: Callable[[bytes], object]) -> None:
        line = self._window.line(_LONGEST_TEXT)
        if line is None:
            self._push(Opaque(f"a text of more than {_LONGEST_TEXT} bytes"), cost.OPAQUE)
            return
        try:
            self._push(parse(line), cost.OPAQUE + 4 * len(line))
        except ValueError as error:
            raise malformed(f"a text with a wrong escape: {error}") from None

    def octets(self, layout: struct.Struct) -> None:
        self.octets_of(self._length(layout))

    def octets_of(self, size: int) -> None:
        """Bytes are never part of a state dict's tensors: arrays of others lie in them."""
        self._window.skip(size)
        self._push(Opaque("bytes"), cost.OPAQUE)

    # Opcodes: containers

    def empty_tuple(self) -> None:
        self._push(())

    def empty_list(self) -> None:
        self._push([], cost.OBJECT)

    def empty_dict(self) -> None:
        self._push(Mapping(), 3 * cost.OBJECT)

    def empty_set(self) -> None:
        self._push(Opaque("a set"), cost.OPAQUE)

    def tuple_of(self, count: Optional[int]) -> None:
        values = self._pop_mark() if count is None else [self._pop() for _ in range(count)][::-1]
        self._push(tuple(values), cost.OBJECT + cost.SLOT * len(values))

    def list_of(self) -> None:
        values = self._pop_mark()
        self._push(values, cost.OBJECT + cost.SLOT * len(values))

    def dict_of(self) -> None:
        values = self._pop_mark()
        self._push(Mapping(), 3 * cost.OBJECT)
        self._update(values)

    def frozen_set(self) -> None:
        values = self._pop_mark()
        self._push(Opaque("a frozenset", tuple(values)), cost.OPAQUE + 2 * cost.SLOT * len(values))

    def append(self) -> None:
        self._extend([self._pop()])

    def appends(self) -> None:
        self._extend(self._pop_mark())

    def _extend(self, values: List[object]) -> None:
        target = self._top()
        self._budget.spend(2 * cost.SLOT * len(values))
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Opaque):
            target.parts += values
        else:
            raise malformed("it appends to something that is no list")

    def setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def setitems(self) -> None:
        self._update(self._pop_mark())

    def _update(self, values: List[object]) -> None:
        target = self._top()
        if len(values) % 2:
            raise malformed("it fills a dict with a key without value")
        self._budget.spend(cost.ENTRY * len(values) // 2)
        if isinstance(target, Mapping):
            builders.fill(target, zip(values[::2], values[1::2]))
        elif isinstance(target, Opaque):
            target.parts += values
        else:
            raise malformed("it fills something that is no dict")

    # Opcodes: the memo

    def put(self, layout: struct.Struct) -> None:
        self._remember(self._number(layout))

    def put_line(self) -> None:
        self._remember(self._index())

    def memoize(self) -> None:
        self._remember(len(self._memo) + len(self._far_memo))

    def _remember(self, place: int) -> None:
        value = self._top()
        if place == 1 and not self._memo:
            # Python 2 counts from one.
            self._memo.append(_NEVER)
        if place == len(self._memo):
            self._budget.spend(2 * cost.SLOT)
            self._memo.append(value)
        elif place < len(self._memo):
            self._memo[place] = value
        else:
            self._budget.spend(cost.MEMO)
            self._far_memo[place] = value

    def get(self, layout: struct.Struct) -> None:
        self._recall(self._number(layout))

    def get_line(self) -> None:
        self._recall(self._index())

    def _recall(self, place: int) -> None:
        value = self._memo[place] if place < len(self._memo) else self._far_memo.get(place, _NEVER)
        if value is _NEVER:
            raise malformed(f"it recalls value {place}, which was never kept")
        self._push(value)

    def _index(self) -> int:
        value = _parsed(int, self._window.line(_LONGEST_NUMBER) or b"")
        if not isinstance(value, int) or value < 0:
            raise malformed("a place that is no number")
        return value

    # Opcodes: names, objects, and what lies outside of the pickle

    def global_line(self) -> None:
        module = self._word()
        self._push(self._global(module, self._word()))

    def global_stack(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise malformed("a name that is no text")
        self._push(self._global(module[:_LONGEST_NAME], name[:_LONGEST_NAME]))

    def _global(self, module: str, name: str) -> Global:
        found = self._names.get((module, name))
        if found is None:
            self._budget.spend(6 * cost.OBJECT + 4 * (len(module) + len(name)))
            found = self._names[(module, name)] = Global(module, name)
            if found not in builders.GETATTR and not names.may_stand(found):
                raise refused(f"names {found.full}")
        return found

    def persistent(self) -> None:
        self._push(self._persistent(self._pop()), 2 * cost.OBJECT)

    def persistent_line(self) -> None:
        line = self._window.line(_LONGEST_NAME)
        self._push(self._persistent(_text(line or b"")), 2 * cost.OBJECT)

    def _push_made(self, value: object) -> None:
        parts = value.parts if isinstance(value, Opaque) else ()
        self._push(value, cost.OPAQUE + cost.SLOT * len(parts))

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        self._push_made(builders.call(function, arguments))

    def new_object(self) -> None:
        arguments, kind = self._pop(), self._pop()
        self._push_made(builders.new(kind, arguments))

    def new_object_with_names(self) -> None:
        named, arguments, kind = self._pop(), self._pop(), self._pop()
        self._push_made(builders.new(kind, (arguments, named)))

    def instance(self) -> None:
        kind = self._global(self._word(), self._word())
        self._push_made(builders.new(kind, tuple(self._pop_mark())))

    def object_of(self) -> None:
        values = self._pop_mark()
        if not values:
            raise malformed("an object without class")
        self._push_made(builders.new(values[0], tuple(values[1:])))

    def build(self) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Opaque):
            self._budget.spend(2 * cost.SLOT)
            target.parts.append(state)
        elif not isinstance(target, (Mapping, Tensor)):
            raise refused(f"sets the state of {builders.describe(target)}")


def _text(raw: bytes, encoding: str = "utf-8") -> str:
    try:
        # As pickle writes them: half of a surrogate pair may stand in a name.
        return raw.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError as error:
        raise malformed(f"a text that is not {encoding}: {error.reason}") from None


def _text_or_bytes(raw: bytes) -> object:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return Opaque("bytes")


def _parsed(kind: Callable[[bytes], object], line: bytes) -> object:
    try:
        return kind(line)
    except ValueError:
        raise malformed("a number that is none") from None


_U8, _U16, _U32, _I32, _U64 = map(struct.Struct, ("<B", "<H", "<I", "<i", "<Q"))
_DOUBLE = struct.Struct(">d")

_Action = Callable[[_Machine], None]
_BY_OPCODE: Dict[int, _Action] = {
    0x80: _Machine.proto,
    0x95: _Machine.frame,
    ord("."): _Machine.stop,
    ord("("): _Machine.mark,
    ord("0"): _Machine.pop,
    ord("1"): _Machine.pop_mark,
    ord("2"): _Machine.duplicate,
    ord("N"): lambda machine: machine.constant(None),
    0x88: lambda machine: machine.constant(True),
    0x89: lambda machine: machine.constant(False),
    ord("K"): _Machine.small_integer,
    ord("M"): lambda machine: machine.integer(_U16),
    ord("J"): lambda machine: machine.integer(_I32),
    0x8A: lambda machine: machine.long(_U8),
    0x8B: lambda machine: machine.long(_I32),
    ord("I"): _Machine.decimal,
    ord("L"): _Machine.decimal,
    ord("G"): _Machine.real,
    ord("F"): _Machine.real_line,
    0x8C: lambda machine: machine.text(_U8),
    ord("X"): lambda machine: machine.text(_U32),
    0x8D: lambda machine: machine.text(_U64),
    ord("V"): _Machine.text_line,
    ord("U"): lambda machine: machine.string(_U8),
    ord("T"): lambda machine: machine.string(_I32),
    ord("S"): _Machine.string_line,
    ord("C"): lambda machine: machine.octets(_U8),
    ord("B"): lambda machine: machine.octets(_U32),
    0x8E: lambda machine: machine.octets(_U64),
    0x96: lambda machine: machine.octets(_U64),
    ord(")"): _Machine.empty_tuple,
    ord("]"): _Machine.empty_list,
    ord("}"): _Machine.empty_dict,
    0x8F: _Machine.empty_set,
    ord("t"): lambda machine: machine.tuple_of(None),
    0x85: lambda machine: machine.tuple_of(1),
    0x86: lambda machine: machine.tuple_of(2),
    0x87: lambda machine: machine.tuple_of(3),
    ord("l"): _Machine.list_of,
    ord("d"): _Machine.dict_of,
    0x91: _Machine.frozen_set,
    ord("a"): _Machine.append,
    ord("e"): _Machine.appends,
    0x90: _Machine.appends,
    ord("s"): _Machine.setitem,
    ord("u"): _Machine.setitems,
    ord("q"): lambda machine: machine.put(_U8),
    ord("r"): lambda machine: machine.put(_U32),
    ord("p"): _Machine.put_line,
    0x94: _Machine.memoize,
    ord("h"): lambda machine: machine.get(_U8),
    ord("j"): lambda machine: machine.get(_U32),
    ord("g"): _Machine.get_line,
    ord("c"): _Machine.global_line,
    0x93: _Machine.global_stack,
    ord("Q"): _Machine.persistent,
    ord("P"): _Machine.persistent_line,
    ord("R"): _Machine.reduce,
    0x81: _Machine.new_object,
    0x92: _Machine.new_object_with_names,
    ord("i"): _Machine.instance,
    ord("o"): _Machine.object_of,
    ord("b"): _Machine.build,
}
_ACTIONS: List[Optional[_Action]] = [_BY_OPCODE.get(opcode) for opcode in range(256)]
