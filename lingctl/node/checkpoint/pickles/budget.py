"""A bound on the memory and the time that reading pickles may take, whatever they say."""

from __future__ import annotations

from lingctl.node.trouble import Trouble

# An honest state dict costs about 1.4 KB per tensor by this count: room for some 21,000 tensors in one
# file. Ling-plus has 17,603 in all.
_MOST_BYTES = 32_000_000
# About 45 per tensor; a million of them take about a second.
_MOST_OPCODES = 6_000_000

# What things take, in CPython 3.9 to 3.13.
SLOT = 8
NUMBER = 40
MEMO = 100
ENTRY = 100
OBJECT = 64
OPAQUE = 200


class Budget:
    """Counts bytes of objects, roughly and upwards, and refuses to go beyond the limit."""

    def __init__(self) -> None:
        self._left = _MOST_BYTES
        self._opcodes = _MOST_OPCODES

    def spend(self, amount: int) -> None:
        """Take ``amount`` bytes.

        Raises:
            Trouble: there are not that many left.
        """
        self._left -= amount
        if self._left < 0:
            raise _too_large("memory", f"more than {_MOST_BYTES} bytes of objects")

    def step(self) -> None:
        """One more opcode.

        Raises:
            Trouble: there have been too many.
        """
        self._opcodes -= 1
        if self._opcodes < 0:
            raise _too_large("work", f"more than {_MOST_OPCODES} opcodes")


def _too_large(what: str, evidence: str) -> Trouble:
    return Trouble(
        f"the pickle asks for more {what} than a state dict needs",
        evidence=evidence,
        remedy="save the state dict alone, without optimizer states, or in several files with an index",
        code="pickle-too-large",
    )
