"""One file of weights written anew, with the head in it folded: streamed, read back, compared, renamed."""

from __future__ import annotations

import math
import os
import zlib
from typing import Callable, Iterator, List, NamedTuple, Tuple

from lingctl.node import kernel
from lingctl.node.checkpoint.safetensors import Entry, read_header
from lingctl.node.files import new_file, opened, part_name, read_at, write_at
from lingctl.node.fold.columns import (
    BYTES,
    divided,
    divisors,
    lengthened,
    read_floats,
    write_floats,
)
from lingctl.node.trouble import Trouble

HEAD = "lm_head.weight"
_BLOCK = 8 << 20
# Numbers of the head that are held at once: a few times four bytes each.
_AT_ONCE = 1 << 20
# How far from 1 a folded column may be: what rounding to 8 bits can do to all of its numbers together.
_TOLERANCE = {"BF16": 2.0**-8, "F16": 2.0**-10, "F32": 2.0**-20}

# Called with the bytes done since the last call.
Tick = Callable[[int], None]


class HeadPlace(NamedTuple):
    """Where the head is."""

    path: str  # of its file
    entry: Entry
    begin: int  # of the data in the file

    @property
    def first(self) -> int:
        """Where its bytes begin in the file."""
        return self.begin + self.entry.start

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.entry.end - self.entry.start


def find_head(path: str) -> HeadPlace:
    """The head in a file that has one.

    Raises:
        Trouble: there is none, or none that can be folded.
        OSError: it cannot be read.
    """
    entries, begin = read_header(path)
    entry = next((one for one in entries if one.name == HEAD), None)
    if entry is None or entry.dtype not in BYTES or len(entry.shape) != 2 or 0 in entry.shape:
        found = "there is none" if entry is None else f"{entry.dtype} {list(entry.shape)}"
        raise Trouble(
            f"{HEAD} is no matrix of numbers that can be folded",
            where=path,
            evidence=found,
            remedy="fold the published weights: bfloat16, float16 or float32, not quantised",
            code="head-unfit",
        )
    return HeadPlace(path, entry, begin)


def measure(place: HeadPlace, tick: Tick) -> List[float]:
    """The lengths of the head's columns.

    Raises:
        Trouble: one of them has a value that is no number, or none that is finite.
    """
    lengths = [0.0] * place.entry.shape[1]
    with opened(place.path) as descriptor:
        for _, data in _blocks(descriptor, place):
            lengths = lengthened(lengths, read_floats(data, place.entry.dtype))
            tick(len(data))
    bad = [at for at, length in enumerate(lengths) if not math.isfinite(length)]
    if bad:
        raise Trouble(
            f"{HEAD} has values that are no numbers: column {bad[0]}",
            where=place.path,
            remedy="lingctl verify-weights; download the file again",
            code="head-not-finite",
        )
    return lengths


def fold_file(place: HeadPlace, target: str, lengths: List[float], written: Tick, proved: Tick) -> None:
    """Write the file with the folded head at ``target``: it appears whole and proved, or not at all.

    Raises:
        Trouble: what was read back is not what was written.
        OSError: the disk.
    """
    with opened(place.path) as source, new_file(target, sync=False) as descriptor:
        kernel.reserve(descriptor, os.fstat(source).st_size)
        sum_of_head = 0
        for at, data in _folded(source, place, divisors(lengths)):
            if place.first <= at < place.first + place.size:
                sum_of_head = zlib.crc32(data, sum_of_head)
            write_at(descriptor, data, at)
            written(len(data))
        os.fsync(descriptor)
        _prove(source, descriptor, place._replace(path=part_name(target)), sum_of_head, lengths, proved)


def _folded(source: int, place: HeadPlace, by: List[float]) -> Iterator[Tuple[int, bytes]]:
    """All of the file as it will be, piece by piece, with their places."""
    yield from _pieces(source, place, 0, place.first)
    for at, data in _blocks(source, place):
        block = divided(read_floats(data, place.entry.dtype), by)
        yield at, write_floats(block, place.entry.dtype)
    yield from _pieces(source, place, place.first + place.size, os.fstat(source).st_size)


def _prove(
    source: int, written: int, place: HeadPlace, sum_of_head: int, lengths: List[float], proved: Tick
) -> None:
    """Read it back: all but the head is the source's; the head is what was written, its columns 1 long."""
    size, end = os.fstat(source).st_size, place.first + place.size
    for start, stop in ((0, place.first), (end, size)):
        for at, data in _pieces(source, place, start, stop):
            if os.pread(written, len(data), at) != data:
                raise _differs(place.path, f"at byte {at}")
            proved(len(data))
    found, again = [0.0] * place.entry.shape[1], 0
    for _, data in _blocks(written, place):
        again = zlib.crc32(data, again)
        found = lengthened(found, read_floats(data, place.entry.dtype))
        proved(len(data))
    if again != sum_of_head:
        raise _differs(place.path, f"the head's CRC is {again:08x}, written was {sum_of_head:08x}")
    for at, (length, before) in enumerate(zip(found, lengths)):
        wanted = before / divisors([before])[0]  # a column of zeros stays one
        if not abs(length - wanted) <= _TOLERANCE[place.entry.dtype]:
            raise _differs(place.path, f"column {at} is {length} long")


def _differs(path: str, evidence: str) -> Trouble:
    return Trouble(
        "what was read back is not what was written",
        where=path,
        evidence=evidence,
        remedy="check disk and memory of this machine; then the same again",
        code="output-differs",
    )


def _blocks(descriptor: int, place: HeadPlace) -> Iterator[Tuple[int, bytes]]:
    """The head, whole rows at a time, with their place in the file."""
    columns = place.entry.shape[1]
    step = max(1, _AT_ONCE // columns) * columns * BYTES[place.entry.dtype]
    return _pieces(descriptor, place, place.first, place.first + place.size, step)


def _pieces(
    descriptor: int, place: HeadPlace, start: int, stop: int, step: int = _BLOCK
) -> Iterator[Tuple[int, bytes]]:
    for at in range(start, stop, step):
        data = bytearray(min(step, stop - at))
        if read_at(descriptor, memoryview(data), at) < len(data):
            what, remedy = "the file ends too early", "wait until nobody writes to it, then the same again"
            raise Trouble(what, where=place.path, remedy=remedy, code="source-changed")
        yield at, bytes(data)
