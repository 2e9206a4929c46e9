"""One HTTP listener: routing, errors, streams."""

from __future__ import annotations

import json
import re
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any

from lingctl.sandbox.engine import answers, api_requests, metadata
from lingctl.sandbox.engine.api_requests import ApiError, Wish, invalid
from lingctl.sandbox.engine.sampling import Sampling
from lingctl.sandbox.engine.service import BrokenStream, Piece, Service

_MODEL_URL = re.compile(r"/v2/models/([^/]+)(?:/versions/[^/]+)?(?:/(\w+))?\Z")
_TIMED = re.compile(r"/health/timed(?:-(\d+))?\Z")


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
        self._free = threading.BoundedSemaphore(links)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Beyond maxLinkNum times a queue's worth, a client sees its connection closed."""
        if not self._free.acquire(timeout=5):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One request in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer
    timeout = 600

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: Any) -> None:
        """No access log on the console."""

    def do_GET(self) -> None:
        """Serve a GET."""
        self._guard(self._get)

    def do_POST(self) -> None:
        """Serve a POST."""
        self._guard(self._post)

    def _guard(self, serve: Any) -> None:
        try:
            serve()
        except ApiError as error:
            self._json(error.status, {"error": error.text, "error_type": error.kind})
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True

    def _route(self) -> str:
        return self.path.split("?", 1)[0]

    def _get(self) -> None:
        path, service = self._route(), self.server.service
        if "management" in self.server.roles and self._management(path, service):
            return
        if "metrics" in self.server.roles and path == "/metrics":
            self._send(200, metadata.metrics(service).encode(), "text/plain; version=0.0.4")
            return
        if "business" in self.server.roles and self._metadata(path, service):
            return
        raise _not_found()

    def _management(self, path: str, service: Service) -> bool:
        if path in ("/v2/health/live", "/v2/health/ready", "/health"):
            status, body = metadata.health(service, ready=path != "/v2/health/live")
            self._json(status, body)
            return True
        if _TIMED.match(path):
            self._timed(service)
            return True
        match = _MODEL_URL.match(path)
        if match and match[2] in ("ready", "getSlotCount"):
            self._named(match[1], service)
            self._json(200, metadata.slots(service) if match[2] == "getSlotCount" else None)
            return True
        if path == "/stopService":
            self._json(200, None)
            service.stopping.set()
            return True
        plain = {"/info": metadata.info, "/v1/config": metadata.config, "/metrics-json": metadata.slots}
        if path in plain:
            self._json(200, plain[path](service))
            return True
        return False

    def _timed(self, service: Service) -> None:
        status, body = metadata.health(service, ready=True)
        if status == 200:
            wish = Wish("hi", 1, Sampling(), False)
            list(service.answer(wish, service.tokens_of(wish)))
            body = {"status": "healthy"}
        self._json(status, body)

    def _metadata(self, path: str, service: Service) -> bool:
        if path == "/v1/models":
            text = json.dumps(metadata.models(service), indent=4)
            self._send(200, text.encode(), "application/json")
            return True
        if path.startswith("/v1/models/"):
            self._named(path.removeprefix("/v1/models/"), service)
            self._json(200, metadata.one_model(service))
            return True
        if path == "/v2":
            self._json(200, metadata.triton_server(service))
            return True
        match = _MODEL_URL.match(path)
        if match and match[2] in (None, "config"):
            self._named(match[1], service)
            writer = metadata.triton_config if match[2] else metadata.triton_model
            self._json(200, writer(service))
            return True
        return False

    def _named(self, name: str, service: Service) -> None:
        if name != service.name:
            raise ApiError(404, "NotFoundError", f"Model {name} not found.")

    def _post(self) -> None:
        service, path = self.server.service, self._route()
        body = self._body(service)
        if "business" not in self.server.roles:
            raise _not_found()
        if service.stopping.is_set():
            if service.version == "1.0.0":
                raise ApiError(503, "Service Unavailable", "The service has been stopped.")
            stopped = "Failed to enqueue inferRequest. Engine has been stopped. Cannot add request."
            raise ApiError(500, "Incomplete Generation", stopped)
        if path == "/v1/tokenizer":
            self._tokenizer(body, service)
            return
        wish, writer = self._wanted(path, body, service)
        prompt = service.tokens_of(wish)
        pieces = service.answer(wish, prompt)
        if not wish.stream:
            try:
                self._json(200, writer.whole(list(pieces), len(prompt)))
            except BrokenStream:
                self.close_connection = True
            return
        self._stream(pieces, writer, len(prompt), "data:" if isinstance(writer, answers.Triton) else "data: ")

    def _wanted(self, path: str, body: Mapping[str, Any], service: Service) -> tuple[Wish, answers.Writer]:
        vllm = service.raw.server.get("openAiSupport", "vllm") == "vllm"
        name = service.name
        if path == "/v1/chat/completions":
            full = bool(service.raw.server.get("fullTextEnabled", False))
            return api_requests.chat(body, name, vllm), answers.Chat(name, full)
        if path == "/v1/completions":
            return api_requests.completion(body, name, vllm), answers.Completion(name)
        if path == "/generate" and "prompt" in body:
            wish = api_requests.vllm_generate(body)
            text = wish.prompt if isinstance(wish.prompt, str) else service.text.decode(wish.prompt)
            return wish, answers.Vllm(text)
        if path in ("/infer", "/infer_token", "/generate", "/generate_stream", "/"):
            return self._native(path, body)
        match = _MODEL_URL.match(path)
        if match and match[2] in ("generate", "generate_stream"):
            self._named(match[1], service)
            wish = api_requests.native(
                {"inputs": body.get("text_input"), **body, "stream": match[2] != "generate"}, top_p_one=True
            )
            return wish, answers.Triton(name, str(body.get("id", "")), wish.details)
        raise _not_found()

    def _native(self, path: str, body: Mapping[str, Any]) -> tuple[Wish, answers.Writer]:
        if path == "/infer_token":
            ids = body.get("input_id")
            if not isinstance(ids, list) or not all(isinstance(i, int) for i in ids):
                raise invalid("Parameter input_id must be an array")
            plain = api_requests.native({**body, "inputs": "ids"})
            wish = replace(plain, prompt=ids)
            return wish, answers.Infer(wish.details)
        if path == "/infer":
            wish = api_requests.native(body)
            return wish, answers.Infer(wish.details)
        wish = api_requests.native({**body, "stream": path == "/generate_stream"})
        return wish, answers.Tgi(wish.details, in_array=path == "/")

    def _tokenizer(self, body: Mapping[str, Any], service: Service) -> None:
        inputs = body.get("inputs")
        if not isinstance(inputs, str) or not inputs:
            raise invalid("Not found inputs.")
        ids = service.text.encode(inputs)
        self._json(200, {"token_number": len(ids), "tokens": service.text.pieces(ids)})

    def _body(self, service: Service) -> Mapping[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        largest = int(service.raw.server.get("maxRequestLength", 40))
        if length > largest * 1024 * 1024:
            text = f"Request body too large. Maximum allowed size is {largest}MB."
            self._json(413, {"message": text})
            raise ConnectionError
        return api_requests.parse_json(
            self.rfile.read(length), int(service.raw.server.get("maxJsonDepth", 10))
        )

    def _stream(self, pieces: Iterator[Piece], writer: answers.Writer, prompt: int, mark: str) -> None:
        """Send the events; an error after the first byte goes into the stream, there is no other place."""
        first = next(pieces)
        self.send_response(200)
        self._headers("text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for document in writer.stream(chain([first], pieces), prompt):
                self._chunk(f"{mark}{json.dumps(document, ensure_ascii=False)}\n\n")
            if writer.done_mark:
                self._chunk("data: [DONE]\n\n")
        except ApiError as error:
            self._chunk(f"{mark}{json.dumps({'error': error.text, 'error_type': error.kind})}\n\n")
        except BrokenStream:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _headers(self, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("RequestUUID", uuid.uuid4().hex)
        self.send_header("Connection", "close")
        self.close_connection = True

    def _json(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        self._send(status, data, "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self._headers(kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _not_found() -> ApiError:
    return ApiError(404, "NotFoundError", "Not Found")
