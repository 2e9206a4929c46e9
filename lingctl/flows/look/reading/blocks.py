"""Bytes of any length, packed or not, a block at a time: nothing is held but what was just read.

gzip, bzip2 and xz, also several streams one behind the other. What stands behind the last one is passed over,
as gzip does it.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from lingctl.release.evidence.gathered import GZIP

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A bound for what anything may unpack to.
MOST_UNPACKED = 4_000_000_000
_READ = 64 << 10
# What an xz stream may want to be unpacked; ``xz -9`` makes streams that want 65 MB.
_MOST_MEMORY = 256 << 20
_LONGEST_MARK = 6
_BEGINNING = 512


class Readable(Protocol):
    """What can be read as a file is."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, or fewer; none at its end."""


class DamagedError(Exception):
    """It cannot be unpacked to its end, or is longer than anything may be."""


class BlockReader(io.BufferedReader):
    """A source's bytes, out of their packing.

    Every method raises DamagedError, and OSError as the source does.
    """

    def __init__(self, source: Readable) -> None:
        super().__init__(_Stream(source), _READ)

    def peek(self, size: int = 0, /) -> bytes:
        """The next bytes, which stay the next ones: at the beginning so many, up to 512; fewer at the end."""
        return super().peek(size)[:size]


class _Stream(io.RawIOBase):
    """One block after the other."""

    def __init__(self, source: Readable) -> None:
        self._blocks = _unpacked(source)
        self._ready, self._given = b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        room = memoryview(buffer)
        self._ready = self._ready or next(self._blocks, b"")
        while not self._given and len(self._ready) < _BEGINNING and (more := next(self._blocks, b"")):
            self._ready += more
        part, self._ready = self._ready[: len(room)], self._ready[len(room) :]
        room[: len(part)] = part
        self._given += len(part)
        return len(part)

    def tell(self) -> int:
        return self._given


class _Unpacker(Protocol):
    """As bz2 and lzma have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gunzip:
    """zlib's, as bz2 and lzma have theirs."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_UNPACKERS: Mapping[bytes, Callable[[], _Unpacker]] = {
    GZIP: _Gunzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY),
}


def _unpacked(source: Readable) -> Iterator[bytes]:
    total = 0
    for block in _blocks(source):
        total += len(block)
        if total > MOST_UNPACKED:
            raise DamagedError(f"it is longer than {MOST_UNPACKED / 1e9:g} GB when unpacked")
        if block:
            yield block


def _blocks(source: Readable) -> Iterator[bytes]:
    data = _head(source, b"")
    new = _unpacker_of(data)
    if new is None:
        while data:
            yield data
            data = source.read(_READ)
    while new is not None:
        unpacker = new()
        while not unpacker.eof:
            if unpacker.needs_input and not data:
                data = source.read(_READ)
                if not data:
                    raise DamagedError("it ends early")
            try:
                block, data = unpacker.decompress(data, _READ), b""
            except (OSError, zlib.error, lzma.LZMAError) as error:  # OSError is bz2's
                raise DamagedError(str(error)) from error
            yield block
        data = _head(source, unpacker.unused_data)
        new = _unpacker_of(data)


def _head(source: Readable, data: bytes) -> bytes:
    """The next bytes, at least as many as it takes to tell how they are packed."""
    while len(data) < _LONGEST_MARK and (more := source.read(_READ)):
        data += more
    return data


def _unpacker_of(data: bytes) -> Callable[[], _Unpacker] | None:
    return next((new for mark, new in _UNPACKERS.items() if data.startswith(mark)), None)
