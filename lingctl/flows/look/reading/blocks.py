"""Bytes of any length, packed or not, a block at a time: nothing is held but what was just read.

gzip, bzip2 and xz, also several streams one behind the other. What stands behind the last one is passed over,
as gzip does it.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from lingctl.release.evidence.gathered import GZIP

# A bound for what anything may unpack to.
MOST_UNPACKED = 4_000_000_000
_READ = 64 << 10
# What an xz stream may want to be unpacked; ``xz -9`` makes streams that want 65 MB.
_MOST_MEMORY = 256 << 20
_LONGEST_MARK = 6


class Readable(Protocol):
    """What can be read as a file is."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, or fewer; none at its end."""


class DamagedError(Exception):
    """It cannot be unpacked to its end, or is longer than anything may be."""


class BlockReader:
    """A source's bytes, out of their packing.

    Every method raises DamagedError, and OSError as the source does.
    """

    def __init__(self, source: Readable) -> None:
        self._blocks = _unpacked(source)
        self._ready, self._at, self._before = b"", 0, 0

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay the next ones; fewer at the end."""
        began = self.tell()
        found = self.read(size)
        self._ready, self._at, self._before = found + self._ready[self._at :], 0, began
        return found

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer at the end."""
        parts = []
        while size > 0 and (piece := self._piece(size)):
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)

    def readline(self, size: int) -> bytes:
        """The next line with its end, or as much of it."""
        parts = []
        while size > 0 and self._fill():
            end = self._ready.find(b"\n", self._at, self._at + size) + 1
            piece = self._piece(end - self._at if end else size)
            parts.append(piece)
            size -= len(piece)
            if end:
                break
        return b"".join(parts)

    def tell(self) -> int:
        """How many bytes were read."""
        return self._before + self._at

    def _fill(self) -> bool:
        if self._at >= len(self._ready):
            self._before += self._at
            self._ready, self._at = next(self._blocks, b""), 0
        return bool(self._ready)

    def _piece(self, size: int) -> bytes:
        if not self._fill():
            return b""
        piece = self._ready[self._at : self._at + size]
        self._at += len(piece)
        return piece


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
