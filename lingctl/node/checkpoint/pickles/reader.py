"""Reads a pickle as data: an own machine for the opcodes that write values down.

Nothing is imported, looked up or called; what a name may be is decided in ``names`` as soon as it is read.
Memory and time are bounded by ``Budget``, lengths by the bytes that are there, nesting by not recursing at
all. What is long and needed by no state dict is passed over and not kept.
"""

from __future__ import annotations

from typing import Dict, List, Optional

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles import builders
from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.machine import OpcodeAction, PickleMachine
from lingctl.node.checkpoint.pickles.stack import I32, U8, U16, U32, U64, Persistent, as_text
from lingctl.node.checkpoint.pickles.stand_ins import Mapping, Opaque
from lingctl.node.checkpoint.pickles.values import unquoted
from lingctl.node.checkpoint.window import Window


def read_pickle(window: Window, persistent: Persistent, budget: Budget) -> object:
    """The object that the next bytes describe, with stand-ins for tensors and storages.

    Args:
        window: stands behind the pickle afterwards.
        persistent: gives the storage or tensor of a persistent id.
        budget: what may be spent, on this one and those that follow.

    Raises:
        Trouble: the pickle asks for something to be run, or is malformed.
    """
    return PickleMachine(window, persistent, budget).run(_ACTIONS)


_BY_OPCODE: Dict[int, OpcodeAction] = {
    0x80: PickleMachine.proto,
    0x95: lambda machine: machine.length(U64),
    ord("."): PickleMachine.stop,
    ord("("): PickleMachine.mark,
    ord("0"): PickleMachine.drop,
    ord("1"): PickleMachine.pop_mark,
    ord("2"): lambda machine: machine.push(machine.top()),
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("K"): lambda machine: machine.push(machine.number(U8)),
    ord("M"): lambda machine: machine.push(machine.number(U16), cost.NUMBER),
    ord("J"): lambda machine: machine.push(machine.number(I32), cost.NUMBER),
    0x8A: lambda machine: machine.long(U8),
    0x8B: lambda machine: machine.long(I32),
    ord("I"): PickleMachine.decimal,
    ord("L"): PickleMachine.decimal,
    ord("G"): PickleMachine.real,
    ord("F"): PickleMachine.real_line,
    0x8C: lambda machine: machine.text(U8),
    ord("X"): lambda machine: machine.text(U32),
    0x8D: lambda machine: machine.text(U64),
    ord("V"): lambda machine: machine.line_value(lambda line: as_text(line, "raw-unicode-escape")),
    ord("U"): lambda machine: machine.string(U8),
    ord("T"): lambda machine: machine.string(I32),
    ord("S"): lambda machine: machine.line_value(unquoted),
    ord("C"): lambda machine: machine.octets(machine.length(U8)),
    ord("B"): lambda machine: machine.octets(machine.length(U32)),
    0x8E: lambda machine: machine.octets(machine.length(U64)),
    0x96: lambda machine: machine.octets(machine.length(U64)),
    ord(")"): lambda machine: machine.push(()),
    ord("]"): lambda machine: machine.push([], cost.OBJECT),
    ord("}"): lambda machine: machine.push(Mapping(), 3 * cost.OBJECT),
    0x8F: lambda machine: machine.push(Opaque("a set"), cost.OPAQUE),
    ord("t"): lambda machine: machine.tuple_of(machine.pop_mark()),
    0x85: lambda machine: machine.tuple_of(machine.pop_some(1)),
    0x86: lambda machine: machine.tuple_of(machine.pop_some(2)),
    0x87: lambda machine: machine.tuple_of(machine.pop_some(3)),
    ord("l"): PickleMachine.list_of,
    ord("d"): PickleMachine.dict_of,
    0x91: PickleMachine.frozen_set,
    ord("a"): lambda machine: machine.extend(machine.pop_some(1)),
    ord("e"): lambda machine: machine.extend(machine.pop_mark()),
    0x90: lambda machine: machine.extend(machine.pop_mark()),
    ord("s"): lambda machine: machine.update(machine.pop_some(2)),
    ord("u"): lambda machine: machine.update(machine.pop_mark()),
    ord("q"): lambda machine: machine.remember(machine.number(U8)),
    ord("r"): lambda machine: machine.remember(machine.number(U32)),
    ord("p"): lambda machine: machine.remember(machine.index()),
    0x94: PickleMachine.memoize,
    ord("h"): lambda machine: machine.recall(machine.number(U8)),
    ord("j"): lambda machine: machine.recall(machine.number(U32)),
    ord("g"): lambda machine: machine.recall(machine.index()),
    ord("c"): lambda machine: machine.push(machine.name(machine.word(), machine.word())),
    0x93: PickleMachine.name_from_stack,
    ord("Q"): lambda machine: machine.outside(machine.pop()),
    ord("P"): lambda machine: machine.outside(machine.word()),
    ord("R"): lambda machine: machine.make(builders.call, *machine.pop_some(2)),
    0x81: lambda machine: machine.make(builders.new, *machine.pop_some(2)),
    0x92: PickleMachine.new_with_names,
    ord("i"): PickleMachine.instance,
    ord("o"): PickleMachine.object_of,
    ord("b"): PickleMachine.build,
}
_ACTIONS: List[Optional[OpcodeAction]] = [_BY_OPCODE.get(opcode) for opcode in range(256)]
