"""bfloat16 as numpy sees it: sixteen raw bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bits = NDArray[np.uint16]


def to_bits(values: Floats) -> Bits:
    """Round float32 to bfloat16, ties to even."""
    raw = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((raw + 0x7FFF + ((raw >> 16) & 1)) >> 16).astype(np.uint16)


def from_bits(bits: Bits) -> Floats:
    """Widen bfloat16 to float32, exactly."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(values: Floats) -> Floats:
    """The nearest bfloat16 values, as float32."""
    return from_bits(to_bits(values))
