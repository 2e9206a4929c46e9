"""A raw server that replays what the real MindIE 3.0.0 said: its header fields, bytes, chunks and sockets."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.real_answers import SHORT_TALK, RealAnswer, Talk, answer_to

_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")
_CLOSE = re.compile(rb"(?im)^connection: *close")

Change = Callable[[str, str, RealAnswer], RealAnswer | None]
"""Told method, path and the real answer, gives the one to send; None closes the connection without one."""


@dataclass
class RealServer:
    """One listener.

    Attributes:
        port_kind: which of MindIE's listeners it is, ``business`` or ``management``.
        talk: what the model says to what was not recorded.
        change: makes it say something else.
        torn: at most so many bytes go out at a time; 0 for whole pieces.
        keeps_open: also after a request that asked for the connection's end.
        requests: what was asked, in order.
    """

    port_kind: str = "business"
    talk: Talk = SHORT_TALK
    change: Change = field(default=lambda method, path, answer: answer)
    torn: int = 0
    keeps_open: bool = False
    requests: list[tuple[str, str, dict | None]] = field(default_factory=list)

    def serve_connection(self, client: socket.socket) -> None:
        """Answer requests until the client is gone, or asked for the end."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        with contextlib.suppress(OSError), client:
            while True:
                head, body, held = _request(client, held)
                if not head:
                    return
                method, path, *_ = head.split(b"\r\n")[0].decode().split()
                self.requests.append((method, path, json.loads(body) if body else None))
                answer = self.change(method, path, answer_to(self.port_kind, method, path, body, self.talk))
                if answer is None:
                    return
                for piece in answer.wire():
                    self._send(client, piece)
                asked_to_close = bool(_CLOSE.search(head)) and not self.keeps_open
                if not answer.ends or not answer.stays_open or asked_to_close:
                    return

    def _send(self, client: socket.socket, piece: bytes) -> None:
        step = self.torn or len(piece)
        for at in range(0, len(piece), step):
            client.sendall(piece[at : at + step])


def cut(after: int) -> Change:
    """Streams end after so many chunks without the ending chunk, as when a worker dies or at a SIGTERM."""

    def change(method: str, path: str, answer: RealAnswer) -> RealAnswer:
        return replace(answer, parts=answer.parts[:after], ends=False) if answer.chunked else answer

    return change


def words_after(count: int, words: str, *, ends: bool = True) -> Change:
    """Streams have plain words in the place of the event after so many (from the source; not seen)."""

    def change(method: str, path: str, answer: RealAnswer) -> RealAnswer:
        told = (*answer.parts[:count], words.encode())
        return replace(answer, parts=told, ends=ends) if answer.chunked else answer

    return change


@contextmanager
def real_server(server: RealServer | None = None) -> Iterator[str]:
    """Run a server while the block runs; yields its base URL."""
    server = server or RealServer()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=server.serve_connection, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _request(client: socket.socket, held: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, body and what came behind; all empty when the client is gone."""
    while b"\r\n\r\n" not in held:
        data = client.recv(65536)
        if not data:
            return b"", b"", b""
        held += data
    head, _, rest = held.partition(b"\r\n\r\n")
    length = int(found[1]) if (found := _LENGTH.search(head)) else 0
    while len(rest) < length:
        data = client.recv(65536)
        if not data:
            return b"", b"", b""
        rest += data
    return head, rest[:length], rest[length:]
