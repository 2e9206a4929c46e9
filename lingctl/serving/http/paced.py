"""Reading an HTTP answer under limits that hold: of silence, of all, and of bytes that are no part of it."""

from __future__ import annotations

import http.client
import io
import socket
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# More bytes than this without the answer going on are no head and no trailers.
_MOST_BETWEEN = 1 << 20
_PACKED = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Pacer:
    """How long the next read may take, and how much may come before the answer goes on."""

    def __init__(self, idle: float, total: float) -> None:
        self._idle = idle
        self._ends_at = time.perf_counter() + total
        self.goes_on()

    def goes_on(self) -> None:
        """A part of the answer was read."""
        self._silent_at = time.perf_counter() + self._idle
        self._between = 0

    def remaining(self) -> float:
        """Seconds that the next read may take. Raises TimeoutError: none are left."""
        seconds = min(self._silent_at, self._ends_at) - time.perf_counter()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def count(self, received: int) -> None:
        """So many bytes have come.

        Raises:
            http.client.HTTPException: too many before the answer went on.
        """
        self._between += received
        if self._between > _MOST_BETWEEN:
            raise http.client.HTTPException(f"more than {_MOST_BETWEEN} bytes that are no part of the answer")


class _PacedReader(io.RawIOBase):
    """Reads a socket under a pace."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, pace: Pacer) -> None:
        self._sock, self._raw, self._pace = sock, raw, pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._pace.remaining())
        received = self._raw.readinto(buffer)
        self._pace.count(received or 0)
        return received

    def close(self) -> None:
        # The socket lives as long as somebody reads it.
        self._raw.close()
        super().close()


class PacedResponse(http.client.HTTPResponse):
    """http.client's answer, each of whose reads ends in time: of the head, of the body and behind it."""

    def __init__(self, sock: socket.socket, *words: object, pace: Pacer, **more: object) -> None:
        super().__init__(sock, *words, **more)  # type: ignore[arg-type]  # http.client's own, handed on
        self.fp = io.BufferedReader(_PacedReader(sock, self.fp.detach(), pace), 65536)


class Unpacker:
    """Hands out a body as it was before a gateway packed it, in pieces of bounded size."""

    _PIECE = 1 << 20

    def __init__(self, *, packed: bool) -> None:
        self._packed = packed
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The pieces that ``data`` brings.

        Raises:
            zlib.error: it is not packed as it should be.
        """
        if not self._packed:
            yield data
            return
        while data:
            piece = self._stream.decompress(data, self._PIECE)
            data = self._stream.unconsumed_tail
            if piece:
                yield piece
            elif self._stream.eof:
                return


def unpacker_for(encoding: str) -> Unpacker:
    """For a Content-Encoding. Some gateways pack answers although they were asked not to.

    Raises:
        zlib.error: it is packed in a way that is not known here.
    """
    way = encoding.strip().lower()
    if way not in ("", "identity", *_PACKED):
        raise zlib.error(f"packed as {way[:40]!r}, which was not asked for")
    return Unpacker(packed=way in _PACKED)
