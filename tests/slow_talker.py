"""A real HTTP service whose answers a test hands out piece by piece."""

from __future__ import annotations

import json
import queue
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

END, BREAK = object(), object()


class Talker:
    """What was asked of it, and what it says next."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict] = []
        self.left = threading.Event()  # the client went away in the middle of an answer
        self._next: queue.Queue[object] = queue.Queue()

    def says(self, *pieces: object) -> None:
        """Pieces of the answer under way or to come: text, or a delta of its own form."""
        for piece in pieces:
            self._next.put(piece)

    def ends(self) -> None:
        """The answer is whole."""
        self._next.put(END)

    def breaks(self) -> None:
        """The connection ends in the middle of the answer."""
        self._next.put(BREAK)

    def next_piece(self, connection) -> object:
        """Waits for it; None where the client has gone."""
        while True:
            if select.select([connection], [], [], 0)[0]:
                return None
            try:
                return self._next.get(timeout=0.05)
            except queue.Empty:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    talker: Talker

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        body = json.dumps({"data": [{"id": "ling-test", "owned_by": "tests"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.close_connection = True
        self.talker.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (piece := self.talker.next_piece(self.connection)) is not END:
            if piece is None:
                self.talker.left.set()
            if piece in (None, BREAK):
                return
            self._event({"choices": [{"delta": {"content": piece} if isinstance(piece, str) else piece}]})
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        self._event({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, data):
        self._chunk(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


@contextmanager
def talking() -> Iterator[Talker]:
    """One, while the block runs."""
    talker = Talker()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"talker": talker}))
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    talker.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield talker
    finally:
        server.shutdown()
        server.server_close()
