"""The opcodes of containers, of values that are recalled, and of names and objects."""

from __future__ import annotations

import struct
from typing import Callable, List, Optional, Sequence

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles import builders, names
from lingctl.node.checkpoint.pickles.refusals import malformed, refused
from lingctl.node.checkpoint.pickles.stack import LONGEST_NAME, as_text
from lingctl.node.checkpoint.pickles.stand_ins import Global, Mapping, Opaque, Tensor
from lingctl.node.checkpoint.pickles.values import LONGEST_NUMBER, Values, parsed
from lingctl.node.trouble import Trouble

_NEVER = Opaque("nothing")

OpcodeAction = Callable[["PickleMachine"], None]


class PickleMachine(Values):
    """All that a pickle may ask for; what a name may be is decided in ``names``."""

    def run(self, actions: Sequence[Optional[OpcodeAction]]) -> object:
        """Read to the end, by the action of each opcode; what is left on the stack is the object."""
        take, step = self._take, self._budget.step
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
        value = parsed(int, self._window.line(LONGEST_NUMBER) or b"")
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
        self._push(self._global(module[:LONGEST_NAME], name[:LONGEST_NAME]))

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
        line = self._window.line(LONGEST_NAME)
        self._push(self._persistent(as_text(line or b"")), 2 * cost.OBJECT)

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
