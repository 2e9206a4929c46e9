"""Strided views written out contiguously, block by block, in bounded memory.

A view is cut in halves until a block needs few enough bytes of its storage; these are read in one piece and
picked apart with strided memoryviews, along the block's longest dimension. Each byte of the storage is read
about once, whatever the strides.
"""

from __future__ import annotations

import itertools
import math
from typing import Callable, Dict, Iterator, List, Literal, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.dtypes import Dtype
from lingctl.node.checkpoint.record import Record

Read = Callable[[int, int], memoryview]

_FORMATS: Dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


class _Dimension(NamedTuple):
    """Of a block: its size, and how far apart its elements are in the storage and in the output."""

    size: int
    stride: int
    step: int


class View(NamedTuple):
    """A tensor in the file; ``begin`` counts bytes of its record, strides count elements."""

    record: Record
    dtype: Dtype
    begin: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements of the view."""
        return math.prod(self.shape)

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
    def contiguous(self) -> bool:
        """Whether the view's elements lie one after the other."""
        expected = 1
        for size, stride in reversed(tuple(zip(self.shape, self.strides))):
            if size != 1:
                if stride != expected:
                    return False
                expected *= size
        return True


def pieces(view: View, read: Read, limit: int) -> Iterator[Tuple[int, memoryview]]:
    """Offset in the contiguous output and bytes, in any order, each output byte once.

    Args:
        view: the tensor.
        read: gives bytes of the record by offset and count.
        limit: most bytes read at once, and most bytes of a piece.
    """
    if view.elements:
        width = view.dtype.size
        yield from _cut(_dimensions(view), view.begin // width, 0, width, read, limit)


def _dimensions(view: View) -> List[_Dimension]:
    """From the outermost to the innermost, those that are one walk through the storage joined."""
    found: List[_Dimension] = []
    step = 1
    for size, stride in zip(reversed(view.shape), reversed(view.strides)):
        if size != 1:
            inner = found[0] if found else None
            if inner and stride == inner.size * inner.stride:
                found[0] = inner._replace(size=size * inner.size)
            else:
                found.insert(0, _Dimension(size, stride, step))
        step *= size
    return found or [_Dimension(1, 1, 1)]


def _cut(
    dimensions: List[_Dimension], source: int, target: int, width: int, read: Read, limit: int
) -> Iterator[Tuple[int, memoryview]]:
    count = math.prod(size for size, _, _ in dimensions)
    extents = [(size - 1) * stride for size, stride, _ in dimensions]
    span = (sum(extents) + 1) * width
    if count * width <= limit and span <= limit:
        yield from _gather(dimensions, read(source * width, span).cast(_FORMATS[width]), target, width)
        return
    if span > limit:
        place = max(range(len(dimensions)), key=lambda index: extents[index])
    else:
        place = next(index for index, dimension in enumerate(dimensions) if dimension.size > 1)
    size, stride, step = dimensions[place]
    half = size // 2
    for start, length in ((0, half), (half, size - half)):
        part = [*dimensions[:place], _Dimension(length, stride, step), *dimensions[place + 1 :]]
        yield from _cut(part, source + start * stride, target + start * step, width, read, limit)


def _gather(
    dimensions: List[_Dimension], values: memoryview, target: int, width: int
) -> Iterator[Tuple[int, memoryview]]:
    """A piece for each stretch of the output that is without holes."""
    first = len(dimensions) - 1
    while first and dimensions[first - 1].step == dimensions[first].size * dimensions[first].step:
        first -= 1
    outer, inner = dimensions[:first], dimensions[first:]
    for place in _places(outer):
        source = sum(index * dimension.stride for index, dimension in zip(place, outer))
        at = target + sum(index * dimension.step for index, dimension in zip(place, outer))
        yield at * width, memoryview(_packed(inner, values, source, width))


def _packed(dimensions: List[_Dimension], values: memoryview, source: int, width: int) -> bytearray:
    """The elements of a stretch, one after the other."""
    if dimensions[0].stride == 0 and len(dimensions) > 1:
        return _packed(dimensions[1:], values, source, width) * dimensions[0].size
    found = bytearray(dimensions[0].size * dimensions[0].step * width)
    target = memoryview(found).cast(_FORMATS[width])
    longest = max(range(len(dimensions)), key=lambda index: dimensions[index].size)
    size, stride, step = dimensions[longest]
    others = [*dimensions[:longest], *dimensions[longest + 1 :]]
    for place in _places(others):
        begin = source + sum(index * dimension.stride for index, dimension in zip(place, others))
        at = sum(index * dimension.step for index, dimension in zip(place, others))
        if stride:
            run = values[begin : begin + (size - 1) * stride + 1 : stride]
        else:
            run = memoryview(values[begin : begin + 1].tobytes() * size).cast(_FORMATS[width])
        target[at : at + (size - 1) * step + 1 : step] = run
    return found


def _places(dimensions: Sequence[_Dimension]) -> Iterator[Tuple[int, ...]]:
    return itertools.product(*(range(dimension.size) for dimension in dimensions))
