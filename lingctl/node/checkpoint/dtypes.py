"""Element types: what torch calls them, what safetensors calls them, how wide they are.

Source: torch.storage class names as pickled by torch 1.6 to 2.13; safetensors 0.5 to 0.8 dtype names.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional


class Dtype(NamedTuple):
    """One element type."""

    name: str  # torch's name, e.g. ``bfloat16``.
    safetensors: Optional[str]  # its name in a safetensors header, or None where that format has none
    size: int  # bytes per element
    swap: int  # bytes that change places between byte orders (a complex number swaps its halves apart)
    per_element: int = 1  # values packed in one element; the shape in the header counts values
    storage: str = ""  # torch's class of a storage of it, where it has one


_ALL = (
    Dtype("float64", "F64", 8, 8, storage="DoubleStorage"),
    Dtype("float32", "F32", 4, 4, storage="FloatStorage"),
    Dtype("float16", "F16", 2, 2, storage="HalfStorage"),
    Dtype("bfloat16", "BF16", 2, 2, storage="BFloat16Storage"),
    Dtype("int64", "I64", 8, 8, storage="LongStorage"),
    Dtype("int32", "I32", 4, 4, storage="IntStorage"),
    Dtype("int16", "I16", 2, 2, storage="ShortStorage"),
    Dtype("int8", "I8", 1, 1, storage="CharStorage"),
    Dtype("uint8", "U8", 1, 1, storage="ByteStorage"),
    Dtype("bool", "BOOL", 1, 1, storage="BoolStorage"),
    Dtype("uint16", "U16", 2, 2),
    Dtype("uint32", "U32", 4, 4),
    Dtype("uint64", "U64", 8, 8),
    Dtype("complex64", "C64", 8, 4, storage="ComplexFloatStorage"),
    Dtype("complex128", None, 16, 8, storage="ComplexDoubleStorage"),
    Dtype("complex32", None, 4, 2),
    Dtype("float8_e4m3fn", "F8_E4M3", 1, 1),
    Dtype("float8_e5m2", "F8_E5M2", 1, 1),
    Dtype("float8_e4m3fnuz", "F8_E4M3FNUZ", 1, 1),
    Dtype("float8_e5m2fnuz", "F8_E5M2FNUZ", 1, 1),
    Dtype("float8_e8m0fnu", "F8_E8M0", 1, 1),
    Dtype("float4_e2m1fn_x2", "F4", 1, 1, 2),
    Dtype("qint8", None, 1, 1, storage="QInt8Storage"),
    Dtype("quint8", None, 1, 1, storage="QUInt8Storage"),
    Dtype("qint32", None, 4, 4, storage="QInt32Storage"),
    Dtype("quint4x2", None, 1, 1, storage="QUInt4x2Storage"),
    Dtype("quint2x4", None, 1, 1, storage="QUInt2x4Storage"),
)

BY_NAME: Dict[str, Dtype] = {dtype.name: dtype for dtype in _ALL}

# The class of a typed storage names its element type.
BY_STORAGE_CLASS = {dtype.storage: dtype for dtype in _ALL if dtype.storage}
BY_STORAGE_CLASS["UntypedStorage"] = BY_NAME["uint8"]

# Bits per value in a safetensors header.
SAFETENSORS_BITS: Dict[str, int] = {
    dtype.safetensors: 8 * dtype.size // dtype.per_element for dtype in _ALL if dtype.safetensors
}
SAFETENSORS_BITS.update({"F6_E2M3": 6, "F6_E3M2": 6})
