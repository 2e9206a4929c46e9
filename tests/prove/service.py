"""A small OpenAI-compatible service whose answers are given: as much told of their tokens as is wanted."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lingctl.serving.endpoint import Endpoint

NAME = "tiny"


@dataclass(frozen=True)
class Said:
    """An answer: the prompt's tokens, the answer's, and logits of all tokens before each of these."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    logits: Sequence[Sequence[float]] = ()


@dataclass
class Telling:
    """What the service tells.

    Attributes:
        said: by prompt.
        refused: fields of a request that it refuses.
        with_ids: tell ids, as vLLM does.
        with_numbers: tell likelihoods.
        text: what it writes for a token.
    """

    said: Mapping[str, Said]
    refused: tuple[str, ...] = ()
    with_ids: bool = True
    with_numbers: bool = True
    tokenize: bool = False
    finish: str = "length"
    requests: list[Mapping[str, object]] = field(default_factory=list)

    def text(self, token: int) -> str:
        return f" {token}"

    def answer(self, body: Mapping[str, object]) -> tuple[int, Mapping[str, object]]:
        refused = [name for name in self.refused if name in body]
        if refused:
            return 400, {"error": {"message": f"Unknown field {refused[0]}", "type": "BadRequestError"}}
        said = self.said[str(body["prompt"])]
        choice: dict[str, object] = {
            "index": 0,
            "text": "".join(map(self.text, said.answer)),
            "finish_reason": self.finish,
            "logprobs": self._numbers(said) if self.with_numbers and "logprobs" in body else None,
        }
        if self.with_ids and body.get("return_token_ids"):
            choice |= {"token_ids": list(said.answer), "prompt_token_ids": list(said.prompt)}
        usage = {"prompt_tokens": len(said.prompt), "completion_tokens": len(said.answer)}
        return 200, {"choices": [choice], "usage": {**usage, "total_tokens": sum(usage.values())}}

    def _numbers(self, said: Said) -> Mapping[str, object]:
        tokens, own, tops = [], [], []
        for token, logits in zip(said.answer, said.logits, strict=True):
            most = max(logits)
            log_sum = most + math.log(sum(math.exp(one - most) for one in logits))
            best = sorted(range(len(logits)), key=lambda one: -logits[one])[:5]
            tokens.append(f"token_id:{token}" if self.with_ids else self.text(token))
            own.append(logits[token] - log_sum)
            tops.append({f"token_id:{one}": logits[one] - log_sum for one in best} if self.with_ids else {})
        return {"tokens": tokens, "token_logprobs": own, "top_logprobs": tops}


@contextlib.contextmanager
def serving(telling: Telling) -> Iterator[Endpoint]:
    """The service, as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            self._say(200, {"object": "list", "data": [{"id": NAME, "owned_by": "tests"}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            telling.requests.append({"path": self.path, **body})
            if self.path == "/tokenize" and telling.tokenize:
                self._say(200, {"tokens": list(telling.said[body["prompt"]].prompt)})
            elif self.path == "/v1/completions":
                self._say(*telling.answer(body))
            else:
                self._say(404, {"error": {"message": "Not Found"}})

        def _say(self, status, document):
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Endpoint(f"http://127.0.0.1:{server.server_address[1]}", "", NAME)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
