"""Strided views written out contiguously, block by block, in bounded memory.

A view is cut in halves until a block needs few enough bytes of its storage; these are read in one piece and
picked apart with strided memoryviews. Each byte of the storage is read about once, whatever the strides.
"""

from __future__ import annotations

import itertools
from typing import Callable, Dict, Iterator, List, Literal, Tuple

from lingctl.node.checkpoint.pickles.stand_ins import Tensor

Read = Callable[[int, int], memoryview]

# Dimension of a block: size, stride in the storage, stride in the output (both in elements).
_Dimension = Tuple[int, int, int]
_FORMATS: Dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def pieces(tensor: Tensor, read: Read, limit: int) -> Iterator[Tuple[int, memoryview]]:
    """Offset in the contiguous output and bytes, in any order, each output byte once.

    Args:
        tensor: the view.
        read: gives bytes of the storage by offset and count.
        limit: most bytes read at once, and most bytes of a piece.
    """
    if tensor.elements:
        yield from _cut(_dimensions(tensor), tensor.offset, 0, tensor.dtype.size, read, limit)


def _dimensions(tensor: Tensor) -> List[_Dimension]:
    found: List[_Dimension] = []
    step = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.strides)):
        if size != 1:
            found.insert(0, (size, stride, step))
        step *= size
    return found or [(1, 1, 1)]


def _cut(
    dimensions: List[_Dimension], source: int, target: int, width: int, read: Read, limit: int
) -> Iterator[Tuple[int, memoryview]]:
    count = 1
    for size, _, _ in dimensions:
        count *= size
    extents = [(size - 1) * stride for size, stride, _ in dimensions]
    span = (sum(extents) + 1) * width
    if count * width <= limit and span <= limit:
        yield from _gather(dimensions, read(source * width, span), target, width)
        return
    if span > limit:
        place = max(range(len(dimensions)), key=lambda index: extents[index])
    else:
        place = next(index for index, dimension in enumerate(dimensions) if dimension[0] > 1)
    size, stride, step = dimensions[place]
    half = size // 2
    for start, length in ((0, half), (half, size - half)):
        part = [*dimensions[:place], (length, stride, step), *dimensions[place + 1 :]]
        yield from _cut(part, source + start * stride, target + start * step, width, read, limit)


def _gather(
    dimensions: List[_Dimension], raw: memoryview, target: int, width: int
) -> Iterator[Tuple[int, memoryview]]:
    values = raw.cast(_FORMATS[width])
    *outer, (size, stride, step) = dimensions
    row = bytearray()
    begin = target
    for place in itertools.product(*(range(dimension[0]) for dimension in outer)):
        source = sum(index * dimension[1] for index, dimension in zip(place, outer))
        at = target + sum(index * dimension[2] for index, dimension in zip(place, outer))
        if at != begin + len(row) // width:
            yield begin * width, memoryview(row)
            row, begin = bytearray(), at
        row += _run(values, source, size, stride)
    assert step == 1 or size == 1
    yield begin * width, memoryview(row)


def _run(values: memoryview, source: int, size: int, stride: int) -> bytes:
    if stride == 0:
        return values[source : source + 1].tobytes() * size
    return values[source : source + (size - 1) * stride + 1 : stride].tobytes()
