"""Bytes of a part of a file one after the other, a window of them in memory at a time."""

from __future__ import annotations

import os
import zlib
from typing import Callable, Iterator, Optional

from lingctl.node.checkpoint.refusals import damaged_file
from lingctl.node.trouble import Trouble

_CHUNK = 1 << 17


class Window:
    """Reads ``size`` bytes from ``start`` on; deflated ones when ``packed`` says how many they are there.

    Args:
        descriptor: of the file.
        start: offset of the first byte in the file.
        size: bytes to be read, uncompressed.
        where: file and member, for messages.
        packed: bytes in the file where they are deflated, else 0.
        hear: is told all bytes, in their order.
    """

    def __init__(
        self,
        descriptor: int,
        start: int,
        size: int,
        where: str,
        packed: int = 0,
        hear: Optional[Callable[[bytes], object]] = None,
    ) -> None:
        self._descriptor = descriptor
        self._start = start
        self._inflated = inflate(descriptor, start, packed, size, where, "member-damaged") if packed else None
        self._hear = hear
        self.where = where
        self.crc = 0
        self._data = b""
        self._at = 0
        self._size = size
        # Bytes that were read: those of the window and those before it.
        self._read = 0

    @property
    def place(self) -> int:
        """Bytes taken so far."""
        return self._read - len(self._data) + self._at

    @property
    def left(self) -> int:
        """Bytes not taken yet."""
        return self._size - self.place

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; the caller has bounded them. Raises Trouble: there are not that many."""
        at = self._at
        end = at + count
        if end > len(self._data):
            self._need(count)
            at, end = 0, count
        self._at = end
        return self._data[at:end]

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes. Raises Trouble: there are not that many."""
        self._check(count)
        while count:
            step = min(count, _CHUNK)
            self.take(step)
            count -= step

    def jump(self, count: int) -> None:
        """Pass over ``count`` bytes that are not deflated without reading them: no checksum covers them.

        Raises:
            Trouble: there are not that many.
        """
        self._check(count)
        held = len(self._data) - self._at
        if count <= held:
            self._at += count
            return
        self._read += count - held
        self._data, self._at = b"", 0

    def line(self, longest: int) -> Optional[bytes]:
        """Up to the next line end, which is passed over; None for a line that is longer, passed over too.

        Raises:
            Trouble: no line end is left.
        """
        whole = True
        while True:
            end = self._data.find(b"\n", self._at)
            if end >= 0:
                text = self._data[self._at : end]
                self._at = end + 1
                return text if whole and len(text) <= longest else None
            held = len(self._data) - self._at
            if held > longest:
                whole = False
                self._at = len(self._data)
                held = 0
            if not self.left - held:
                raise self._short("a line end")
            self._need(held + 1)

    def drain(self) -> None:
        """Read what is left, so that the checksum is that of all."""
        self.skip(self.left)

    def damaged(self, evidence: str) -> Trouble:
        """The error of bytes that are not those that were saved."""
        what = "damaged: its bytes do not have the recorded size and CRC-32"
        return damaged_file(what, "member-damaged", where=self.where, evidence=evidence)

    def _check(self, count: int) -> None:
        if count < 0 or count > self.left:
            raise self._short(f"{count} bytes")

    def _need(self, count: int) -> None:
        """Have ``count`` bytes in the window, which then begins at them."""
        self._check(count)
        parts = [self._data[self._at :]]
        held = len(parts[0])
        while held < count:
            piece = self._piece()
            parts.append(piece)
            held += len(piece)
        self._data = b"".join(parts)
        self._at = 0

    def _piece(self) -> bytes:
        if self._inflated:
            piece = next(self._inflated, b"")
        else:
            most = min(_CHUNK, self._size - self._read)
            piece = os.pread(self._descriptor, most, self._start + self._read)
        if not piece:
            raise self.damaged(f"{self._read} of {self._size} bytes")
        self._read += len(piece)
        self.crc = zlib.crc32(piece, self.crc)
        if self._hear:
            self._hear(piece)
        return piece

    def _short(self, wanted: str) -> Trouble:
        return Trouble(
            f"malformed pickle: {wanted} wanted at offset {self.place}, {self.left} left",
            where=self.where,
            remedy="the file is cut off or damaged: download it again and compare its SHA-256",
            code="pickle-malformed",
        )


def inflate(descriptor: int, start: int, packed: int, most: int, where: str, code: str) -> Iterator[bytes]:
    """The first ``most`` bytes of what lies deflated in ``packed`` bytes of a file, as many as there are.

    Raises:
        Trouble: they are not deflated.
    """
    engine = zlib.decompressobj(-15)
    while most and not engine.eof:
        waiting = engine.unconsumed_tail
        if not waiting:
            waiting = os.pread(descriptor, min(_CHUNK, packed), start)
            start, packed = start + len(waiting), packed - len(waiting)
        try:
            piece = engine.decompress(waiting, min(_CHUNK, most))
        except zlib.error as error:
            raise damaged_file(f"cannot be inflated: {error}", code, where=where) from None
        if piece:
            most -= len(piece)
            yield piece
        elif not waiting:  # with no more to read, the last of what was read may still come
            return
