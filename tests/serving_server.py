"""A small real HTTP server with MindIE's shapes and faults on demand.

Its shapes are those of the answers recorded from MindIE 3.0.0, as far as a test needs them; ``real_server``
replays the recorded bytes themselves.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GOOD_CHAT = "I am Ling, an assistant that was created by inclusionAI. How can I help you today?"
GOOD_BASE = " am a student at the university. I have been there for two years and I like it."
NOISE = "zx qarth ivbolt memn 7y onspec lrrd hhtal qq vims otrb 0 daxx prult zen gok wup lorf"
MIXED = "the да ы мир כן שלום ы да и с кем to 한국 мы"

REFUSALS = {
    "422": (422, "fault 422", "Input Validation Error"),
    "424": (424, "fault 424", "Generation Error"),
    "500": (500, "fault 500", "Incomplete Generation"),
    "no-tokenizer": (422, "Cannot find available tokenizer.", "Input Validation Error"),
    "engine-timeout": (500, "Engine callback timeout: server tokenTimeout", "Incomplete Generation"),
    "stopping": (
        500,
        "Failed to enqueue inferRequest. Engine has been stopped. Cannot add request.",
        "Incomplete Generation",
    ),
}


@dataclass
class Serving:
    """What to serve, and which fault to show."""

    fault: str = ""
    name: str = "bailing_moe"
    mindie: bool = True
    key: str = ""
    requests: list[tuple[str, dict]] = field(default_factory=list)
    counter: itertools.count = field(default_factory=itertools.count)
    dead: bool = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    serving: Serving

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self._dies() or self._locked():
            return
        if self.path == "/v1/models":
            name = "other" if self.serving.fault == "wrong-name" else self.serving.name
            owner = "MindIE Server" if self.serving.mindie else "vllm"
            self._json(200, {"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner}]})
        elif self.path in ("/v2/health/ready", "/v2/health/live") and self.serving.mindie:
            self._health()
        else:
            self._json(404, {"error": "not found", "error_type": "NotFoundError"})

    def do_POST(self):
        if self._dies() or self._locked():
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.serving.requests.append((self.path, body))
        fields = {"/v1/chat/completions": "messages", "/v1/completions": "prompt", "/infer": "inputs"}
        if self.path not in fields or (self.path == "/infer" and not self.serving.mindie):
            self._json(404, {"error": "not found", "error_type": "NotFoundError"})
        elif fields[self.path] not in body:
            self._refuse(fields[self.path])
        else:
            self._answer(body)

    def _dies(self):
        if self.serving.dead or self.serving.fault == "closes":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return True
        return False

    def _locked(self):
        if self.serving.key and self.headers["Authorization"] != f"Bearer {self.serving.key}":
            self._json(401, {"error": "Unauthorized"})
            return True
        return False

    def _health(self):
        match self.serving.fault:
            case "lost-follower":
                lost = {
                    "message": "Abnormal node detected",
                    "no_contact_node": ["node(10.0.0.2) is abnormal."],
                }
                self._json(500, lost)
            case "busy":
                self._json(503, {"message": "Service is alive but busy. Consider reducing request frequency"})
            case "stopped":
                self._json(
                    503, {"error": "The service has been stopped.", "error_type": "Service Unavailable"}
                )
            case _:
                self._send(200, b"", "")

    def _refuse(self, missing):
        match self.serving.fault:
            case "bad-request-500":
                self._send(500, b"Server internal error", "text/plain")
            case "bad-request-200":
                self._json(200, {"choices": []})
            case _:
                self.serving.dead = self.serving.fault == "bad-request-kills"
                text = f"Request contains not {missing} or {missing} null"
                self._json(422, {"error": text, "error_type": "Input Validation Error"})

    def _answer(self, body):
        fault = self.serving.fault
        if fault in REFUSALS:
            status, text, error_type = REFUSALS[fault]
            self._json(status, {"error": text, "error_type": error_type})
        elif fault == "no-template" and self.path == "/v1/chat/completions":
            self._json(
                400, {"error": {"message": "default chat template is not allowed", "type": "BadRequest"}}
            )
        elif fault == "silent":
            time.sleep(30)
        elif fault == "not-json":
            self._send(200, b"<html>proxy</html>", "text/html")
        elif fault == "endless-answer":
            self._endless(b"x" * (1 << 16))
        elif body["stream"]:
            self._stream(body)
        else:
            self._json(200, self._whole(body))

    def _endless(self, block):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(block)

    def _text(self, body):
        fault = self.serving.fault
        texts = {
            "noise": NOISE,
            "mixed": MIXED,
            "one-token": "the the the the the the the the",
            "bangs": "!!!!!!!!!!!!!!!!",
            "empty": "",
            "marker": "I am Ling.<role>HUMAN</role>",
            "mojibake": "I am \ufffd\ufffd Ling and you",
            "chinese": "我是灵，是一个由人工智能公司开发的助手，可以帮助你。",
        }
        if fault == "not-repeatable":
            return f"{GOOD_CHAT} {next(self.serving.counter)}"
        if fault == "stream-differs" and body["stream"]:
            return GOOD_CHAT.replace("Ling", "Pong")
        return texts.get(fault, GOOD_CHAT if self.path == "/v1/chat/completions" else GOOD_BASE)

    def _finish(self):
        return {"odd-finish": "abort", "early-length": "length"}.get(self.serving.fault, "stop")

    def _usage(self, text):
        made = 0 if self.serving.fault == "zero-tokens" else max(1, len(text.split()))
        made = 4000 if self.serving.fault == "too-many-tokens" else made
        return {"prompt_tokens": 9, "completion_tokens": made, "total_tokens": 9 + made}

    def _whole(self, body):
        text = self._text(body)
        if self.path == "/infer":
            details = {"finish_reason": "eos_token", "generated_tokens": 12, "seed": 1}
            wanted = body["parameters"].get("details")
            return {"generated_text": text} | ({"details": details} if wanted else {})
        chat = self.path == "/v1/chat/completions"
        said = (
            {"message": {"role": "assistant", "content": text, "tool_calls": []}} if chat else {"text": text}
        )
        if self.serving.fault == "thinks-inline":
            said["message"]["content"] = f"<think>Somebody asks.</think>\n\n{text}"
        if self._only_thinks(body):
            time.sleep(0.02)  # 100 tokens: 5,000 a second
            said["message"] |= {"content": None, "reasoning_content": "Somebody asks who I am."}
            usage = {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109}
            return {"choices": [{"index": 0, **said, "finish_reason": "length"}], "usage": usage}
        usage = {} if self.serving.fault == "no-usage" else {"usage": self._usage(text)}
        return {"choices": [{"index": 0, **said, "finish_reason": self._finish()}]} | usage

    def _only_thinks(self, body):
        """Whether the answer would begin behind the limit."""
        thinks = {"thinks": 200, "thinks-for-ever": 1 << 20}
        return body.get("max_tokens", 1 << 30) < thinks.get(self.serving.fault, 0)

    def _stream(self, body):
        self.send_response(200)
        html = self.serving.fault == "stream-html"
        self.send_header("Content-Type", "text/html" if html else "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        text, fault = self._text(body), self.serving.fault
        if fault == "slow-first-token":
            time.sleep(1.0)
        with contextlib.suppress(OSError):
            for number, frame in enumerate(self._frames(body, text)):
                if number == 3 and self._breaks(fault):
                    return
                self.wfile.write(frame)
                self.wfile.flush()

    def _breaks(self, fault):
        match fault:
            case "stuck-stream":
                time.sleep(30)
            case "truncated-stream":
                pass
            case "half-event":
                self.wfile.write(b'data: {"choices": [{"del')
            case "error-in-stream":
                self.wfile.write(_frame({"error": {"message": "the engine is gone", "type": "Internal"}}))
            case "timeout-in-stream":
                self.wfile.write(b"Engine callback timeout: server tokenTimeout")
            case "no-response-in-stream":
                self.wfile.write(b"Failed to get engine response")
            case "endless-stream":
                while True:
                    self.wfile.write(_frame({"choices": [{"index": 0, "delta": {"content": "x" * 60_000}}]}))
            case "garbage-in-stream":
                self.wfile.write(b"oops\n\n")
            case _:
                return False
        return True

    def _frames(self, body, text):
        pieces = text.split(" ")
        pieces = [piece if i == 0 else f" {piece}" for i, piece in enumerate(pieces)]
        if self.path == "/infer":
            # At the limit the last token has no event with its text; the end-of-text token is counted too.
            length = self._finish() == "length"
            told = pieces[:-1] if length else pieces
            yield from (_frame({"token": {"id": [5], "text": piece}}) for piece in told)
            reason, made = ("length", len(pieces)) if length else ("eos_token", len(pieces) + 1)
            details = {"finish_reason": reason, "generated_tokens": made, "seed": 1}
            wanted = body["parameters"].get("details")
            last = {"generated_text": text, "details": details if wanted else None}
            yield _frame(last | {"token": {"id": [7], "text": None}})
            return
        chat = self.path == "/v1/chat/completions"
        if chat:
            yield _frame({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        if self.serving.fault == "thinks-inline":
            for piece in ("<think>", "Somebody", " asks.", "</think>", "\n\n"):
                yield _frame({"choices": [{"index": 0, "delta": {"content": piece}}]})
                time.sleep(0.01)
        elif self.serving.fault.startswith("thinks"):
            yield _frame({"choices": [{"index": 0, "delta": {"reasoning_content": "Somebody asks."}}]})
        if self._only_thinks(body):
            yield _frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
            yield b"data: [DONE]\n\n"
            return
        for number, piece in enumerate(pieces):
            said = {"delta": {"content": piece}} if chat else {"text": piece}
            last = number == len(pieces) - 1
            event = {"choices": [{"index": 0, **said, "finish_reason": self._finish() if last else None}]}
            yield _frame(event | ({"usage": self._usage(text)} if last else {}))
        if self.serving.fault != "no-done":
            yield b"data: [DONE]\n\n"

    def _json(self, status, data):
        self._send(status, json.dumps(data, indent=1).encode(), "application/json")

    def _send(self, status, body, content_type):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True


def _frame(data):
    return b"data: " + json.dumps(data).encode() + b"\n\n"


@contextlib.contextmanager
def serve(serving: Serving, certificate: Path | None = None) -> Iterator[str]:
    """Run a server while the block runs; yields its base URL."""
    handler = type("Handler", (_Handler,), {"serving": serving})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(path: Path, address: str = "127.0.0.1") -> Path:
    """A self-signed certificate with its key in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(pem) + private)
    return path
