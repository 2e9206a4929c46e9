"""How the linears of a block are quantised together."""

from enum import IntEnum


class PackType(IntEnum):
    """Only the unquantised kind is here."""

    ALL_FP = 1


class TransposeType(IntEnum):
    """How a weight is stored."""

    INVALID = -1
    NOT_TRANSPOSE = 0
    TRANSPOSE = 1
