"""A service whose own time is known: each token of an answer takes its time, and the time of all is noted.

It speaks as an OpenAI-compatible service does, whole answers and streams. ``GET /busy`` tells for how many
seconds it has computed answers, and counts from nothing again. It prints its port.

    python benchmarks/clients/model_server.py --first-ms 200 --step-ms 30
"""

from __future__ import annotations

import argparse
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

# As long as a model's answer to who it is.
ANSWER = (
    "I am Ling, a language model that was trained to be of help. I can answer questions, explain what is "
    "hard to understand, write and correct texts and programs, and think through a problem step by step. "
    "What I know ends with what I was trained on, so please check what matters before you rely on it."
)
PROMPT_TOKENS = 8


class Service(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    first = step = 0.0
    busy: ClassVar[list[float]] = []

    def do_GET(self):
        if self.path == "/busy":
            self._say(200, {"seconds": sum(self.busy)})
            self.busy.clear()
        elif self.path == "/v1/models":
            self._say(200, {"object": "list", "data": [{"id": "ling", "object": "model", "owned_by": "us"}]})
        else:
            self._say(200, {})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "messages" not in asked:
            self._say(400, {"error": {"message": "messages is required", "type": "invalid_request_error"}})
            return
        begun = time.monotonic()
        words = ANSWER.split(" ")
        made = words[: asked.get("max_tokens") or len(words)]
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": len(made)}
        usage["total_tokens"] = sum(usage.values())
        finish = "stop" if len(made) == len(words) else "length"
        if asked.get("stream"):
            self._stream(made, finish, usage)
        else:
            time.sleep(self.first + self.step * (len(made) - 1))
        self.busy.append(time.monotonic() - begun)
        if not asked.get("stream"):
            message = {"role": "assistant", "content": " ".join(made)}
            whole = {"index": 0, "message": message, "finish_reason": finish}
            self._say(200, {"object": "chat.completion", "model": "ling", "choices": [whole], "usage": usage})

    def _stream(self, made, finish, usage):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, word in enumerate(made):
            time.sleep(self.step if number else self.first)
            last = number == len(made) - 1
            delta = {"role": "assistant", "content": f" {word}" if number else word}
            part = {"index": 0, "delta": delta, "finish_reason": finish if last else None}
            event = {"object": "chat.completion.chunk", "model": "ling", "choices": [part]}
            self._chunk(b"data: %s\n\n" % json.dumps(event | ({"usage": usage} if last else {})).encode())
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _say(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        """Nothing is logged."""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--first-ms", type=float, default=200.0, help="until the first token")
    parser.add_argument("--step-ms", type=float, default=30.0, help="of each further one")
    options = parser.parse_args()
    Service.first, Service.step = options.first_ms / 1000, options.step_ms / 1000
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
