"""Reads a pickle as data: an own machine for the opcodes that write values down.

Nothing is imported, looked up or called; what a name may be is decided in ``names`` as soon as it is read.
Memory and time are bounded by ``Budget``, lengths by the bytes that are there, nesting by not recursing at
all. What is long and needed by no state dict is passed over and not kept.
"""

from __future__ import annotations

from typing import Dict, List, Optional

from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.machine import OpcodeAction, PickleMachine
from lingctl.node.checkpoint.pickles.stack import I32, U8, U16, U32, U64, Persistent
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
    0x95: PickleMachine.frame,
    ord("."): PickleMachine.stop,
    ord("("): PickleMachine.mark,
    ord("0"): PickleMachine.pop,
    ord("1"): PickleMachine.pop_mark,
    ord("2"): PickleMachine.duplicate,
    ord("N"): lambda machine: machine.constant(None),
    0x88: lambda machine: machine.constant(True),
    0x89: lambda machine: machine.constant(False),
    ord("K"): PickleMachine.small_integer,
    ord("M"): lambda machine: machine.integer(U16),
    ord("J"): lambda machine: machine.integer(I32),
    0x8A: lambda machine: machine.long(U8),
    0x8B: lambda machine: machine.long(I32),
    ord("I"): PickleMachine.decimal,
    ord("L"): PickleMachine.decimal,
    ord("G"): PickleMachine.real,
    ord("F"): PickleMachine.real_line,
    0x8C: lambda machine: machine.text(U8),
    ord("X"): lambda machine: machine.text(U32),
    0x8D: lambda machine: machine.text(U64),
    ord("V"): PickleMachine.text_line,
    ord("U"): lambda machine: machine.string(U8),
    ord("T"): lambda machine: machine.string(I32),
    ord("S"): PickleMachine.string_line,
    ord("C"): lambda machine: machine.octets(U8),
    ord("B"): lambda machine: machine.octets(U32),
    0x8E: lambda machine: machine.octets(U64),
    0x96: lambda machine: machine.octets(U64),
    ord(")"): PickleMachine.empty_tuple,
    ord("]"): PickleMachine.empty_list,
    ord("}"): PickleMachine.empty_dict,
    0x8F: PickleMachine.empty_set,
    ord("t"): lambda machine: machine.tuple_of(None),
    0x85: lambda machine: machine.tuple_of(1),
    0x86: lambda machine: machine.tuple_of(2),
    0x87: lambda machine: machine.tuple_of(3),
    ord("l"): PickleMachine.list_of,
    ord("d"): PickleMachine.dict_of,
    0x91: PickleMachine.frozen_set,
    ord("a"): PickleMachine.append,
    ord("e"): PickleMachine.appends,
    0x90: PickleMachine.appends,
    ord("s"): PickleMachine.setitem,
    ord("u"): PickleMachine.setitems,
    ord("q"): lambda machine: machine.put(U8),
    ord("r"): lambda machine: machine.put(U32),
    ord("p"): PickleMachine.put_line,
    0x94: PickleMachine.memoize,
    ord("h"): lambda machine: machine.get(U8),
    ord("j"): lambda machine: machine.get(U32),
    ord("g"): PickleMachine.get_line,
    ord("c"): PickleMachine.global_line,
    0x93: PickleMachine.global_stack,
    ord("Q"): PickleMachine.persistent,
    ord("P"): PickleMachine.persistent_line,
    ord("R"): PickleMachine.reduce,
    0x81: PickleMachine.new_object,
    0x92: PickleMachine.new_object_with_names,
    ord("i"): PickleMachine.instance,
    ord("o"): PickleMachine.object_of,
    ord("b"): PickleMachine.build,
}
_ACTIONS: List[Optional[OpcodeAction]] = [_BY_OPCODE.get(opcode) for opcode in range(256)]
