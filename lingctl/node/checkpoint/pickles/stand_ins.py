"""Inert stand-ins for what a checkpoint's pickle asks to build."""

from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

from lingctl.node.checkpoint.dtypes import Dtype


class Global(NamedTuple):
    """The name of a class or function. Never looked up."""

    module: str
    name: str

    @property
    def full(self) -> str:
        """Dotted name."""
        return f"{self.module}.{self.name}"


class Storage(NamedTuple):
    """A run of bytes in the archive, by the key of its record; ``size`` in bytes."""

    key: str
    dtype: Dtype
    size: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    dtype: Dtype
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements of the view."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def header_shape(self) -> Tuple[int, ...]:
        """As a safetensors header has it: that counts values, torch elements; two of float4 share one."""
        if self.dtype.per_element == 1 or not self.shape:
            return self.shape
        return (*self.shape[:-1], self.shape[-1] * self.dtype.per_element)

    @property
    def size(self) -> int:
        """Bytes of the view when written out contiguously."""
        return self.elements * self.dtype.size

    @property
    def end(self) -> int:
        """First byte of the storage behind the view; its offset if it is empty."""
        if not self.elements:
            return self.offset * self.dtype.size
        last = self.offset + sum((size - 1) * stride for size, stride in _pairs(self))
        return (last + 1) * self.dtype.size

    @property
    def contiguous(self) -> bool:
        """Whether the view's elements lie one after the other."""
        expected = 1
        for size, stride in reversed(_pairs(self)):
            if size != 1:
                if stride != expected:
                    return False
                expected *= size
        return True


class Mapping(Dict[object, object]):
    """A dict or OrderedDict of the pickle, with its attributes left out."""


def _pairs(tensor: Tensor) -> Tuple[Tuple[int, int], ...]:
    return tuple(zip(tensor.shape, tensor.strides))
