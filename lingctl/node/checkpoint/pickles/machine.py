"""What opcodes do with containers, with values that are recalled, and with names and objects."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles import builders, names
from lingctl.node.checkpoint.pickles.stack import LONGEST_NAME
from lingctl.node.checkpoint.pickles.stand_ins import Global, Mapping, Opaque, Tensor
from lingctl.node.checkpoint.pickles.values import LONGEST_NUMBER, Values, parsed
from lingctl.node.checkpoint.refusals import malformed, refused
from lingctl.node.trouble import Trouble

_NEVER = Opaque("nothing")

OpcodeAction = Callable[["PickleMachine"], object]


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

    def tuple_of(self, values: List[object]) -> None:
        self.push(tuple(values), cost.OBJECT + cost.SLOT * len(values))

    def list_of(self) -> None:
        values = self.pop_mark()
        self.push(values, cost.OBJECT + cost.SLOT * len(values))

    def dict_of(self) -> None:
        values = self.pop_mark()
        self.push(Mapping(), 3 * cost.OBJECT)
        self.update(values)

    def frozen_set(self) -> None:
        values = self.pop_mark()
        self.push(Opaque("a frozenset", tuple(values)), cost.OPAQUE + 2 * cost.SLOT * len(values))

    def extend(self, values: List[object]) -> None:
        target = self.top()
        self._budget.spend(2 * cost.SLOT * len(values))
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Opaque):
            target.parts += values
        else:
            raise malformed("it appends to something that is no list")

    def update(self, values: List[object]) -> None:
        target = self.top()
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

    def memoize(self) -> None:
        self.remember(len(self._memo) + len(self._far_memo))

    def remember(self, place: int) -> None:
        value = self.top()
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

    def recall(self, place: int) -> None:
        value = self._memo[place] if place < len(self._memo) else self._far_memo.get(place, _NEVER)
        if value is _NEVER:
            raise malformed(f"it recalls value {place}, which was never kept")
        self.push(value)

    def index(self) -> int:
        """A place of the memo, as digits and a line end."""
        value = parsed(int, self._window.line(LONGEST_NUMBER) or b"")
        if not isinstance(value, int) or value < 0:
            raise malformed("a place that is no number")
        return value

    # Opcodes: names, objects, and what lies outside of the pickle

    def name_from_stack(self) -> None:
        module, name = self.pop_some(2)
        if not isinstance(name, str) or not isinstance(module, str):
            raise malformed("a name that is no text")
        self.push(self.name(module[:LONGEST_NAME], name[:LONGEST_NAME]))

    def name(self, module: str, name: str) -> Global:
        found = self._names.get((module, name))
        if found is None:
            self._budget.spend(6 * cost.OBJECT + 4 * (len(module) + len(name)))
            found = self._names[(module, name)] = Global(module, name)
            if found not in builders.GETATTR and not names.may_stand(found):
                raise refused(f"names {found.full}")
        return found

    def outside(self, identity: object) -> None:
        self.push(self._persistent(identity), 2 * cost.OBJECT)

    def make(self, by: Callable[[object, object], object], kind: object, arguments: object) -> None:
        value = by(kind, arguments)
        parts = value.parts if isinstance(value, Opaque) else ()
        self.push(value, cost.OPAQUE + cost.SLOT * len(parts))

    def new_with_names(self) -> None:
        kind, arguments, named = self.pop_some(3)
        self.make(builders.new, kind, (arguments, named))

    def instance(self) -> None:
        kind = self.name(self.word(), self.word())
        self.make(builders.new, kind, tuple(self.pop_mark()))

    def object_of(self) -> None:
        values = self.pop_mark()
        if not values:
            raise malformed("an object without class")
        self.make(builders.new, values[0], tuple(values[1:]))

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Opaque):
            self._budget.spend(2 * cost.SLOT)
            target.parts.append(state)
        elif not isinstance(target, (Mapping, Tensor)):
            raise refused(f"sets the state of {builders.describe(target)}")
