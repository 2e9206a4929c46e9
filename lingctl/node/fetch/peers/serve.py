"""Gives files of a folder to other machines, also those that are still on their way here."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from typing import Dict, Optional, Tuple

from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.peers.wire import BEAT_SECONDS, FAILED, HEAD, WAIT, Channel, frame_buffer
from lingctl.node.fetch.place import Place
from lingctl.node.trouble import Trouble

# Without a connection for so long, the server ends by itself.
_IDLE_SECONDS = 600.0
# So long a file may be neither here nor on its way, before whoever asks is told to look elsewhere.
_PATIENCE_SECONDS = 30.0
_HANDSHAKE_SECONDS = 20.0
# At most eight for each machine that asks; more at a time are refused, whoever they are.
_MOST_CONNECTIONS = 256


class FileServer:
    """Listens, and serves each connection in a thread of its own."""

    def __init__(
        self, place: Place, files: Tuple[ListedFile, ...], tls: ssl.SSLContext, host: str, port: int
    ) -> None:
        """Listen. Raises Trouble: the address is not this machine's, or the port is taken."""
        self._giver = Giver(place, files)
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=64)
        except OSError as error:
            raise Trouble(
                f"cannot listen on {host} port {port}: {error.strerror}",
                remedy="service_address in hosts.yaml must be an address of the node itself;\n"
                "--spread-port chooses another port",
                code="spread-listen",
            ) from error
        self.port = int(self._listener.getsockname()[1])
        self._open = 0
        self._busy_at = time.monotonic()
        self._lock = threading.Lock()

    def serve(self, idle: float = _IDLE_SECONDS) -> None:
        """Serve until nobody was connected for ``idle`` seconds."""
        self._listener.settimeout(0.5)
        while True:
            with self._lock:
                if not self._open and time.monotonic() - self._busy_at > idle:
                    return
            try:
                sock, _ = self._listener.accept()
            except socket.timeout:  # TimeoutError only since Python 3.10
                continue
            with self._lock:
                if self._open >= _MOST_CONNECTIONS:
                    sock.close()
                    continue
                self._open += 1
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(_HANDSHAKE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.wrap_socket(sock, server_side=True) as safe:
                self._giver.give(Channel(safe))
        except OSError:
            pass  # a stranger, or a receiver that went away: it comes back, or its lingctl tells
        finally:
            with self._lock:
                self._open -= 1
                self._busy_at = time.monotonic()


class Giver:
    """Answers requests for files, from final names or from what has arrived so far."""

    def __init__(self, place: Place, files: Tuple[ListedFile, ...]) -> None:
        self._place = place
        self._files: Dict[str, ListedFile] = {file.path: file for file in files}

    def give(self, channel: Channel) -> None:
        """Serve one connection to its end. Raises OSError: it broke."""
        while True:
            asked = channel.receive_line()
            if asked is None:
                return
            file = self._files.get(str(asked.get("path")))
            offset = asked.get("offset")
            if file is None or not isinstance(offset, int) or not 0 <= offset < file.size:
                channel.send_word(FAILED)
                continue
            self._send(channel, file, offset)

    def _send(self, channel: Channel, file: ListedFile, offset: int) -> None:
        descriptor = self._open(channel, file)
        if descriptor is None:
            channel.send_word(FAILED)
            return
        try:
            self._copy(channel, descriptor, file.size, offset)
        finally:
            os.close(descriptor)

    def _open(self, channel: Channel, file: ListedFile) -> Optional[int]:
        patience = _Patience(self._place, channel)
        staged = self._place.staged(file)
        while True:
            final = self._place.final(file)
            with contextlib.suppress(FileNotFoundError):
                # A file under its final name with another size is one that a deploy rewrote.
                name = final if os.path.getsize(final) == file.size else f"{final}.bak"
                return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            for name in (staged + ".part", staged):
                with contextlib.suppress(FileNotFoundError):
                    return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            if not patience.wait():
                return None

    def _copy(self, channel: Channel, descriptor: int, size: int, offset: int) -> None:
        buffer = frame_buffer()
        room = memoryview(buffer)[HEAD:]
        patience = _Patience(self._place, channel)
        while offset < size:
            count = os.preadv(descriptor, [room], offset)
            if count:
                channel.send_frame(buffer, count)
                offset += count
                patience.renew()
            elif not patience.wait():
                channel.send_word(FAILED)
                return


class _Patience:
    """Waits for bytes that are on their way here, and tells the other side so."""

    def __init__(self, place: Place, channel: Channel) -> None:
        self._place = place
        self._channel = channel
        self.renew()

    def renew(self) -> None:
        """Something came."""
        self._alive = self._said = time.monotonic()

    def wait(self) -> bool:
        """Wait a moment; false when nothing is to be expected any more."""
        time.sleep(0.02)
        now = time.monotonic()
        if now - self._said < BEAT_SECONDS:
            return True
        self._channel.send_word(WAIT)
        self._said = now
        if self._place.holder() is not None:
            self._alive = now
        return now - self._alive < _PATIENCE_SECONDS
