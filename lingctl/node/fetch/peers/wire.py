"""How two machines pass files: one request a line, the content in frames, all over TLS of one run.

Both sides prove themselves with certificates that lingctl made for this one spreading and handed over its own
SSH connections. Frame: length (4 bytes) and data; the two largest lengths mean "wait" and "it failed".
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
from typing import Dict, Optional

from lingctl.node.foreign_json import foreign_json
from lingctl.node.trouble import Trouble

BLOCK = 1 << 20
WAIT, FAILED = 0xFFFFFFFE, 0xFFFFFFFF
# Who waits says so every two seconds; longer silence means that the other side is gone.
BEAT_SECONDS = 2.0
SILENCE_SECONDS = 30.0
# Before its first request for a file, and between two, the other side reads what it has of the next one.
REQUEST_SECONDS = 900.0
_LENGTH = struct.Struct(">I")
_LONGEST_LINE = 8192


def context(folder: str, which: str, *, server: bool) -> ssl.SSLContext:
    """The TLS settings of this machine for one run; the private key is removed from the disk once read.

    Args:
        folder: with ``ca.pem`` and ``<which>.pem``.
        which: name of the file with certificate and key.
        server: whether this side accepts connections.

    Raises:
        Trouble: the files are not there.
    """
    own, authority = os.path.join(folder, f"{which}.pem"), os.path.join(folder, "ca.pem")
    purpose = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
    made = ssl.SSLContext(purpose)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_mode = ssl.CERT_REQUIRED
    try:
        made.load_cert_chain(own)
        made.load_verify_locations(authority)
        os.unlink(own)
    except OSError as error:
        raise Trouble(
            "the keys of this run are not here",
            where=own,
            evidence=str(error),
            remedy="run lingctl download again: it makes new ones",
            code="spread-keys",
        ) from error
    return made


class Channel:
    """One connection to another machine."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(SILENCE_SECONDS)
        self._sock = sock
        self._head = bytearray(_LENGTH.size)

    def send_line(self, content: Dict[str, object]) -> None:
        """Send a request."""
        self._sock.sendall(json.dumps(content).encode() + b"\n")

    def receive_line(self) -> Optional[Dict[str, object]]:
        """Receive a request; None when the other side has no more.

        Raises:
            ConnectionError: it is not a request.
        """
        line = bytearray()
        self._sock.settimeout(REQUEST_SECONDS)
        while not line.endswith(b"\n"):
            byte = self._sock.recv(1)
            self._sock.settimeout(SILENCE_SECONDS)
            if not byte or len(line) > _LONGEST_LINE:
                if line:
                    raise ConnectionError("a request ended early")
                return None
            line += byte
        try:
            content = foreign_json(line)
        except ValueError:
            raise ConnectionError("a request is not JSON") from None
        if not isinstance(content, dict):
            raise ConnectionError("a request is not a mapping")
        return content

    def send_frame(self, buffer: bytearray, count: int) -> None:
        """Send ``count`` bytes that stand in ``buffer`` behind room for the length."""
        _LENGTH.pack_into(buffer, 0, count)
        self._sock.sendall(memoryview(buffer)[: _LENGTH.size + count])

    def send_word(self, word: int) -> None:
        """Send WAIT or FAILED."""
        self._sock.sendall(_LENGTH.pack(word))

    def receive_frame(self, buffer: memoryview) -> int:
        """Receive a frame into ``buffer``; its length, or WAIT or FAILED.

        Raises:
            ConnectionError: the connection ended, or what came is no frame.
        """
        self._fill(memoryview(self._head))
        (count,) = _LENGTH.unpack(self._head)
        if count in (WAIT, FAILED):
            return int(count)
        if not 0 < count <= len(buffer):
            raise ConnectionError(f"a frame of {count} bytes")
        self._fill(buffer[:count])
        return int(count)

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def _fill(self, view: memoryview) -> None:
        while view:
            count = self._sock.recv_into(view)
            if not count:
                raise ConnectionError("the connection ended")
            view = view[count:]


def frame_buffer() -> bytearray:
    """A buffer for ``send_frame``: room for the length, then for a block."""
    return bytearray(_LENGTH.size + BLOCK)


HEAD = _LENGTH.size
