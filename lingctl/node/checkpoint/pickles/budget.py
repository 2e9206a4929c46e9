"""A bound on the memory that reading a pickle may take, whatever the pickle says."""

from __future__ import annotations

from lingctl.node.trouble import Trouble

# An honest state dict costs about 1.6 KB per tensor by this count: room for some 25,000 tensors in one
# file. Ling-plus has 17,603 in all.
LIMIT = 40_000_000

SLOT = 8
MEMO = 100
ENTRY = 100
OBJECT = 64


class Budget:
    """Counts bytes of objects, roughly and upwards, and refuses to go beyond the limit."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._left = limit
        self._limit = limit

    def spend(self, amount: int) -> None:
        """Take ``amount`` bytes.

        Raises:
            Trouble: there are not that many left.
        """
        self._left -= amount
        if self._left < 0:
            raise Trouble(
                "the pickle asks for more memory than a state dict needs",
                evidence=f"more than {self._limit} bytes of objects",
                code="pickle-too-large",
            )
