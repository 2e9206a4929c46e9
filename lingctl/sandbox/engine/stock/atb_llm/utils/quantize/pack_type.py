"""How the linears of a block are quantised together."""

from __future__ import annotations

from enum import IntEnum


class PackType(IntEnum):
    """Only the unquantised kind is emulated."""

    ALL_FP = 1
