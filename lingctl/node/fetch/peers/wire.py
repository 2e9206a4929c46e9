"""How two machines pass files: one request a line, the content in frames, all over TLS of one run.

Both sides prove themselves with certificates that lingctl made for this one spreading and handed over its own
SSH connections. Frame: length (4 bytes) and data; the two largest lengths mean "wait" and "it failed".
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
from typing import Callable, Dict, Optional, TypeVar, Union

from lingctl.node.foreign_json import foreign_json
from lingctl.node.trouble import Trouble

T = TypeVar("T")
BLOCK = 1 << 20
WAIT, FAILED = 0xFFFFFFFE, 0xFFFFFFFF
# Who waits says so every two seconds; longer silence means that the other side is gone.
BEAT_SECONDS = 2.0
SILENCE_SECONDS = 30.0
# Before its first request for a file, and between two, the other side reads what it has of the next one.
REQUEST_SECONDS = 900.0
_LENGTH = struct.Struct(">I")
_LONGEST_LINE = 8192
_PIECE = 1 << 18


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
            code="spread-keys",
        ) from error
    return made


class TlsTaker:
    """TLS over a connection on which much is received: read from the system in large pieces.

    Python's own TLS socket makes two system calls for each 16 KB, which is a third of what receiving costs.
    """

    def __init__(
        self,
        sock: socket.socket,
        tls: ssl.SSLContext,
        *,
        server_side: bool = False,
        name: Optional[str] = None,
    ) -> None:
        """Shake hands; as a client (not ``server_side``) with the machine of that ``name``.

        Raises:
            OSError: the other side is not who it should be, or went away.
        """
        self._sock = sock
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._came, self._goes, server_side=server_side, server_hostname=name)
        self._piece = memoryview(bytearray(_PIECE))
        try:
            self._hearing(self._tls.do_handshake)
            self._flush()
        except OSError:
            with contextlib.suppress(OSError):
                self._flush()  # why we refuse: the other side would else not learn it
            sock.close()
            raise

    def settimeout(self, seconds: float) -> None:
        """So long each system call may take."""
        self._sock.settimeout(seconds)

    def sendall(self, data: Union[bytes, memoryview]) -> None:
        """Send all of it."""
        self._tls.write(data)
        self._flush()

    def recv_into(self, view: Union[bytearray, memoryview]) -> int:
        """Fill the view as far as something is here; 0 when the other side ended."""
        try:
            return int(self._hearing(lambda: self._tls.read(len(view), view)))
        except ssl.SSLZeroReturnError:
            return 0

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def _hearing(self, step: Callable[[], T]) -> T:
        """A step of TLS, as often as it wants to hear more before it is done."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
            count = self._sock.recv_into(self._piece)
            if not count:
                raise ConnectionError("the connection ended")
            self._came.write(self._piece[:count])

    def _flush(self) -> None:
        if self._goes.pending:
            self._sock.sendall(self._goes.read())


class Channel:
    """One connection to another machine."""

    def __init__(self, sock: Union[ssl.SSLSocket, TlsTaker]) -> None:
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
        line, byte = bytearray(), bytearray(1)
        self._sock.settimeout(REQUEST_SECONDS)
        while not line.endswith(b"\n"):
            came = self._sock.recv_into(byte)
            self._sock.settimeout(SILENCE_SECONDS)
            if not came or len(line) > _LONGEST_LINE:
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
