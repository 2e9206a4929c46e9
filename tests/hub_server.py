"""A hub on loopback: what the real ModelScope and Hugging Face clients ask for, with faults on demand.

Only the parts of their HTTP interfaces that a download uses. Every byte of content served is counted.
"""

from __future__ import annotations

import hashlib
import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import urlopen

HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_BLOCK = 16384
_TRICKLE = 128


@dataclass
class Fault:
    """One thing that goes wrong, a number of times.

    kind: ``reset`` (RST after ``after`` bytes), ``short`` (the body ends early), ``truncated`` (the object is
    shorter than listed), ``flipped`` (one bit is wrong), ``empty``, ``status`` (an error with ``status``),
    ``slow`` (``rate`` bytes a second), ``held`` (after ``after`` bytes of a file it only trickles, until the
    hub is ``opened``), ``no-range`` (ranges are ignored), ``page`` (a web page with ``status``), ``words``
    (what is no JSON), ``elsewhere`` (sent on to the same at ``target``), ``endless`` (a body without an end),
    ``drip`` (the same, a byte at a time).
    The path of the list of files is ``<list>``.
    """

    kind: str
    path: str = ""
    times: int = 1_000_000
    after: int = 0
    status: int = 500
    rate: int = 0
    retry_after: int | None = None
    target: str = ""


@dataclass
class Hub:
    """Repositories and faults of a running server; counters of what it served."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    listed_sha: dict[str, str] = field(default_factory=dict)
    served: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: threading.Event = field(default_factory=threading.Event)

    def take(self, *kinds: str, path: str) -> Fault | None:
        """The first fault of one of these kinds that concerns the path; it is used up by one."""
        with self.lock:
            for fault in self.faults:
                if fault.kind in kinds and fault.path in ("", path) and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def sha256(self, repository: str, path: str) -> str:
        """As listed: the truth unless a test says otherwise."""
        return self.listed_sha.get(path) or hashlib.sha256(self.files[repository][path]).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = unquote(url.path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        with self.hub.lock:
            self.hub.requests[f"{self.command} {path}"] += 1
            self.hub.tokens.add(token)
        if found := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
            self._list(found[1])
        elif found := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo", path):
            self._content(found[1], query["FilePath"], {})
        elif found := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)", path):
            self._json(200 if found[1] in self.hub.files else 404, {"Code": 200, "Data": {"Name": found[1]}})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
            self._hugging_face_list(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._hugging_face_content(found[1], found[2])
        else:
            self._json(404, {"Code": 404, "Message": "not found"})

    def _list(self, repository: str) -> None:
        if self._faulty("<list>"):
            return
        if repository not in self.hub.files:
            self._json(404, {"Code": 10010205001, "Message": "record not found", "Success": False})
        else:
            entries = [
                {
                    "Path": path,
                    "Name": path.rpartition("/")[2],
                    "Size": len(content),
                    "Sha256": self.hub.sha256(repository, path),
                    "Type": "blob",
                }
                for path, content in self.hub.files[repository].items()
            ]
            self._json(200, {"Code": 200, "Success": True, "Data": {"Files": entries}})

    def _hugging_face_list(self, repository: str) -> None:
        if self._faulty("<list>"):
            return
        if repository not in self.hub.files:
            self._json(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        siblings: list[dict[str, Any]] = []
        for path, content in self.hub.files[repository].items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": blob}
            if path.endswith((".safetensors", ".bin")):
                sha256 = self.hub.sha256(repository, path)
                entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        self._json(200, {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings})

    def _hugging_face_content(self, repository: str, path: str) -> None:
        if path not in self.hub.files.get(repository, {}):
            self._json(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        etag = hashlib.sha256(self.hub.files[repository][path]).hexdigest()
        self._content(repository, path, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})

    def _content(self, repository: str, path: str, headers: dict[str, str]) -> None:
        if path not in self.hub.files.get(repository, {}):
            self._json(404, {"Code": 404, "Message": f"no {path}", "Success": False})
            return
        if self._faulty(path):
            return
        content = self.hub.files[repository][path]
        if self.command == "GET":
            content = self._spoilt(content, path)
        start, end = self._range(len(content), path)
        if start is None:
            self._reply(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        body = content[start:end]
        partial = len(body) < len(content)
        extra = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"} if partial else {}
        self._reply(
            206 if partial else 200,
            {**headers, **extra, "Content-Length": str(len(body)), "Accept-Ranges": "bytes"},
        )
        if self.command == "GET":
            self._send(body, path)

    def _spoilt(self, content: bytes, path: str) -> bytes:
        fault = self.hub.take("truncated", "flipped", "empty", path=path)
        if fault is None:
            return content
        if fault.kind == "flipped":
            middle = len(content) // 2
            return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        return content[: fault.after] if fault.kind == "truncated" else b""

    def _range(self, size: int, path: str) -> tuple[int | None, int]:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked or self.hub.take("no-range", path=path):
            return 0, size
        start = int(asked[1])
        end = min(size, int(asked[2]) + 1) if asked[2] else size
        return (start, end) if start < end else (None, 0)

    def _send(self, body: bytes, path: str) -> None:
        fault = self.hub.take("reset", "short", "slow", "held", path=path)
        limit = fault.after if fault and fault.kind not in ("slow", "held") else len(body)
        begin = 0
        while begin < min(limit, len(body)):
            holds = fault and fault.kind == "held" and self.hub.served[path] >= fault.after
            size = _TRICKLE if holds and not self.hub.opened.wait(0.5) else _BLOCK
            block = body[begin : min(begin + size, limit)]
            begin += len(block)
            try:
                self.wfile.write(block)
            except OSError:
                self.close_connection = True
                return
            with self.hub.lock:
                self.hub.served[path] += len(block)
            if fault and fault.kind == "slow":
                time.sleep(len(block) / fault.rate)
        if fault and limit < len(body):
            self._cut(hard=fault.kind == "reset")

    def _cut(self, *, hard: bool) -> None:
        self.wfile.flush()
        if hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
        self.connection.close()

    def _faulty(self, path: str) -> bool:
        """Answer with a fault instead, if there is one of the whole answer."""
        fault = self.hub.take("status", "page", "words", "elsewhere", "endless", "drip", path=path)
        if fault is None:
            return False
        if fault.kind == "status":
            self._error(fault)
        elif fault.kind == "elsewhere":
            self._reply(302, {"Location": fault.target + self.path, "Content-Length": "0"})
        elif fault.kind in ("page", "words"):
            page = fault.kind == "page"
            body = b"<!DOCTYPE html><title>Please log in</title>" if page else b"hello"
            kind = "text/html; charset=utf-8" if page else "application/json"
            status = fault.status if page else 200
            self._reply(status, {"Content-Type": kind, "Content-Length": str(len(body))})
            self.wfile.write(body if self.command == "GET" else b"")
        else:
            self._pour(1 if fault.kind == "drip" else 1 << 20)
        return True

    def _pour(self, block: int) -> None:
        headers = {"X-Repo-Commit": COMMIT, "ETag": '"1"'}
        self._reply(200, {"Content-Type": "application/octet-stream", "Connection": "close", **headers})
        self.close_connection = True
        while self.command == "GET" and not self.hub.opened.is_set():
            try:
                self.wfile.write(b"[" * block)
            except OSError:
                return
            if block == 1:
                self.hub.opened.wait(0.1)

    def _error(self, fault: Fault) -> None:
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        self._json(fault.status, {"Code": fault.status, "Message": "fault"}, headers)

    def _json(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        more = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._reply(status, {**(headers or {}), **more})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reply(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients are killed on purpose


@contextmanager
def serve(hub: Hub, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Hub]:
    """Serve while the block runs; ``hub.url`` tells where."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server((address, 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _running(server) as url:
        hub.url = url.replace("http://", "https://") if tls else url
        yield hub


@contextmanager
def proxy(seen: list[str], address: str = "127.0.0.1", login: str = "") -> Iterator[str]:
    """A forward proxy while the block runs; every address asked for is noted; it may want a login."""

    class Proxy(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _let_in(self) -> bool:
            seen.append(self.path)
            wanted = f"Basic {b64encode(login.encode()).decode()}"
            if not login or self.headers.get("Proxy-Authorization") == wanted:
                return True
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def do_CONNECT(self) -> None:
            if not self._let_in():
                return
            host, _, port = self.path.rpartition(":")
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            with socket.create_connection((host, int(port)), 10) as there:
                _carry(self.connection, there)

        def do_GET(self) -> None:
            if not self._let_in():
                return
            with urlopen(self.path, timeout=10) as answer:
                body = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with _running(_Server((address, 0), Proxy)) as url:
        yield url


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    while True:
        ready, _, _ = select.select([one, other], [], [], 30)
        if not ready:
            return
        for end in ready:
            block = end.recv(65536)
            if not block:
                return
            (other if end is one else one).sendall(block)


@contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{server.server_address[0]}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
