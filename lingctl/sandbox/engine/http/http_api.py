"""One HTTP listener: its connections, and the requests on them."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Generator
from http.server import ThreadingHTTPServer
from typing import Any

from lingctl.sandbox.engine.api import generation, routes, wire
from lingctl.sandbox.engine.api.forms.form import Form
from lingctl.sandbox.engine.api.wire import Head, Reply
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.requests.errors import ApiError, FatalRequest
from lingctl.sandbox.engine.requests.rounds import BrokenStream, EngineTimeout, Round
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish


class ApiServer(ThreadingHTTPServer):
    """A listener.

    Args:
        address: where it listens.
        roles: which of business, management and metrics it serves.
        service: what it works on.
        links: most requests at a time.
    """

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], roles: frozenset[str], service: Service, links: int) -> None:
        self.roles, self.service = roles, service
        self.label = f"{address[0]}:{address[1]}"
        # A listener that has no business paths grants a tenth, at least 100.
        self.links = links if "business" in roles else max(links // 10, 100)
        self._free = threading.BoundedSemaphore(self.links)
        super().__init__(address, _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Beyond maxLinkNum times a queue's worth, a client sees its connection closed."""
        if not self._free.acquire(timeout=5):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Connection(socketserver.StreamRequestHandler):
    server: ApiServer
    disable_nagle_algorithm = True
    timeout = wire.IDLE_SECONDS
    _most = 0

    def handle(self) -> None:
        """Serve one request after the other, to the end of the connection."""
        self._most = self.server.links
        with contextlib.suppress(wire.Hangup, ConnectionError, TimeoutError, BrokenStream):
            for left in range(self._most, 0, -1):
                if not self._serve_one(last=left == 1):
                    return

    def _serve_one(self, *, last: bool) -> bool:
        """Whether the connection goes on."""
        self.connection.settimeout(wire.IDLE_SECONDS)
        line = self.rfile.readline(32768)
        if not line or len(line) >= 32768:
            return False
        self.connection.settimeout(wire.READ_SECONDS)
        try:
            head = wire.read_head(self.rfile, line)
        except wire.Malformed as error:
            self._send(Reply(error.status, routed=False), None, last)
            return True
        if head.fields.get("expect") == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._answer(head, last)
        return not head.ends

    def _answer(self, head: Head, last: bool) -> None:
        service = self.server.service
        peer = f"{self.client_address[0]}:{self.client_address[1]}"
        service.log.received(peer, head.method, head.path)
        try:
            data = wire.read_body(self.rfile, head, service.request_limit) if wire.has_body(head) else b""
        except wire.Malformed as error:
            self._send(_malformed(error, service), head, last)
            wire.skip_body(self.rfile, error.unread)
            return
        wish = Wish(service.next_id()) if head.method == "POST" else Wish("")
        try:
            self._dispatch(head, data, wish, last)
        except ApiError as error:
            service.refuse(error, wish)
            self._send(routes.error_reply(error), head, last)
        except FatalRequest as error:
            service.crash(error.lines)

    def _dispatch(self, head: Head, data: bytes, wish: Wish, last: bool) -> None:
        roles, service = self.server.roles, self.server.service
        reply: Reply | None = None
        if head.method in ("GET", "HEAD"):
            reply = routes.get(head.path, roles, service, self.server.label)
        elif head.method == "POST":
            if "business" in roles and generation.takes(head.path, service):
                self._generate(head, data, wish, last)
                return
            reply = routes.post(head.path, data, roles, service)
        elif head.method in ("CONNECT", "TRACE", "PRI"):
            reply = Reply(400)
        self._send(reply or Reply(404), head, last)
        if head.path == "/stopService" and reply is not None and reply.status == 200:
            service.stopping.set()

    def _generate(self, head: Head, data: bytes, wish: Wish, last: bool) -> None:
        service = self.server.service
        form = generation.wanted(head.path, data, service, wish)
        rounds = service.generate(wish)
        if wish.stream:
            self._stream(head, form, rounds, last)
            return
        with contextlib.closing(rounds):
            try:
                for taken in rounds:
                    form.note(taken)
            except EngineTimeout as error:
                raise ApiError(500, f"Engine callback timeout: {error}") from None
        body = dump(form.whole()).encode("utf-8", "replace")
        self._send(Reply(200, body, "application/json", 1), head, last)

    def _stream(self, head: Head, form: Form, rounds: Generator[Round], last: bool) -> None:
        """Each event is a chunk; what goes wrong after the status is bare text."""
        self._log_answer(head, 200, 0)
        self.wfile.write(wire.stream_bytes(head, self._most, last=last))
        with contextlib.closing(rounds):
            try:
                for taken in rounds:
                    for text in form.stream(taken):
                        self._chunk(text)
            except EngineTimeout as error:
                self._chunk(f"Engine callback timeout: {error}")
            except ApiError as error:
                self._chunk(error.text.removesuffix("."))
        self.wfile.write(wire.chunk_bytes(b""))

    def _chunk(self, text: str) -> None:
        if text:
            self.wfile.write(wire.chunk_bytes(text.encode("utf-8", "replace")))

    def _send(self, reply: Reply, head: Head | None, last: bool) -> None:
        if head is not None:
            self._log_answer(head, reply.status, len(reply.body))
        self.wfile.write(wire.reply_bytes(reply, head, self._most, last=last))

    def _log_answer(self, head: Head, status: int, length: int) -> None:
        self.server.service.log.answered(self.server.label, head.method, head.path, status, length)


def _malformed(error: wire.Malformed, service: Service) -> Reply:
    if error.status != 413:
        return Reply(error.status)
    largest = service.request_limit // 1024 // 1024
    words = f"Request body too large. Maximum allowed size is {largest}MB."
    return Reply(413, dump({"message": words}).encode(), "application/json")
