"""Services and gateways as they answer, byte by byte: one row each.

Bodies follow the sources, documents and reports of users of what is named; nothing was recorded here. A row
says what each of the four requests is answered (``HTTP`` as it goes over the wire), where it differs from a
plain service, and what ``smoke-test`` and ``bench`` should say to it.
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

TEXT = "I am a model that was made to help you with this and with that."
USAGE = {"prompt_tokens": 9, "completion_tokens": 15, "total_tokens": 24}
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def answer(status: str, body: bytes | dict, *headers: str, content_type: str = "application/json") -> bytes:
    """A whole HTTP answer; ``status`` with its reason."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


def page(status: str, server: str) -> bytes:
    """An error page as nginx and its children write it."""
    html = f"<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>"
    html += f"\r\n<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    return answer(status, html.encode(), f"Server: {server}", content_type="text/html")


def chunk(delta: dict | None, finish: str | None = None, **more: object) -> dict:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "model": "odd", "choices": [choice], **more}


def stream(*events: dict | str, content_type: str = "text/event-stream") -> bytes:
    """A streamed answer that ends with its connection; a string is sent as it is."""
    said = "".join(e if isinstance(e, str) else f"data: {json.dumps(e)}\n\n" for e in events)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n"
    return head.encode() + said.encode()


def words(**more: object) -> list[dict]:
    """The answer, a word in each chunk; ``more`` stands in every chunk."""
    pieces = re.findall(r" ?\S+", TEXT)
    return [chunk({"content": piece}, **more) for piece in pieces]


def whole(text: str = TEXT, usage: dict = USAGE, **more: object) -> dict:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **more}, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "model": "odd", "choices": [choice], "usage": usage}


END = chunk({}, "stop")
LAST = {**chunk(None), "choices": [], "usage": USAGE}
DONE = "data: [DONE]\n\n"
GOOD_MODELS = answer("200 OK", {"object": "list", "data": [{"id": "odd", "owned_by": "tests"}]})
GOOD_WHOLE = answer("200 OK", whole())
GOOD_STREAM = stream(chunk({"role": "assistant", "content": ""}), *words(), END, LAST, DONE)
NO_HEALTH = answer("404 Not Found", {"detail": "Not Found"})
REFUSED = answer("400 Bad Request", {"error": {"message": "messages is required", "type": "invalid_request"}})
REDIRECTED = answer("302 Found", b"", "Location: https://sso.example/login", content_type="text/html")


@dataclass(frozen=True)
class Row:
    """One service."""

    chat: bytes = GOOD_WHOLE
    stream: bytes = GOOD_STREAM
    models: bytes = GOOD_MODELS
    health: bytes = NO_HEALTH
    # rung to verdict and words of the finding; all others pass or are notes, or were not reached
    smoke: dict[str, tuple[str, str]] = field(default_factory=dict)
    least_tokens: int = 0  # fewer are refused
    wants_agent: bool = False  # requests without a User-Agent are refused
    bench: str = ""  # words of the error or note where bench measures nothing; empty where it measures all


def refusing(said: bytes, rung: str, told: str, bench: str = "", **more: bytes) -> Row:
    """A row that refuses to generate."""
    return Row(said, said, smoke={rung: ("failure", told)}, bench=bench or told, **more)


def gateway(code: object, text: str) -> dict:
    """A refusal as gateways write it that answer 200 to everything."""
    return {"code": code, "msg": text, "data": None}


ROWS = {
    "plain": Row(),
    # ---- healthy, though odd
    "Azure: filter results before the first token": Row(
        stream=stream(
            {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
            *words(),
            chunk(None, "stop"),
            LAST,
            DONE,
        )
    ),
    "vLLM: usage in every chunk": Row(stream=stream(*words(usage=USAGE), END, LAST, DONE)),
    "Groq: usage beside, in a field of its own": Row(
        stream=stream(*words(x_groq={"id": "r"}), END, LAST, DONE)
    ),
    "Spark: a code and a message of success in every chunk": Row(
        chat=answer("200 OK", {"code": 0, "message": "Success", "sid": "c", **whole()}),
        stream=stream(*words(code=0, message="Success"), {**END, "code": 0, "usage": USAGE}, DONE),
    ),
    "MiniMax: the whole message in the last chunk": Row(
        chat=answer("200 OK", {**whole(), "base_resp": {"status_code": 0, "status_msg": ""}}),
        stream=stream(
            *words(base_resp={"status_code": 0, "status_msg": ""}),
            {
                **whole(),
                "choices": [
                    {"index": 0, "message": {"content": TEXT, "role": "assistant"}, "finish_reason": "stop"}
                ],
            },
        ),
    ),
    "OpenRouter: comments while it waits": Row(
        stream=stream(": OPENROUTER PROCESSING\n\n", ": OPENROUTER PROCESSING\n\n", *words(), END, LAST, DONE)
    ),
    "a gateway's pings as events": Row(
        stream=stream('event: ping\ndata: {"type": "ping"}\n\n', *words(), END, LAST, DONE)
    ),
    "Ollama: an empty finish_reason until the end": Row(
        stream=stream(*[chunk(w["choices"][0]["delta"], "") for w in words()], END, LAST, DONE)
    ),
    "no space behind data:, ids that change": Row(
        stream=stream(
            *[f"id: {n}\ndata:{json.dumps({**w, 'id': str(n)})}\n\n" for n, w in enumerate([*words(), END])]
        )
    ),
    "llama.cpp: a role with content null, timings in the last": Row(
        stream=stream(
            chunk({"role": "assistant", "content": None}), *words(), END, {**LAST, "timings": {}}, DONE
        )
    ),
    "an old HTTP/1.0 server without a length": Row(
        chat=b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(whole()).encode(),
        stream=GOOD_STREAM.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Connection: close\r\n", b""),
    ),
    "xAI: thoughts counted beside the answer": Row(
        chat=answer(
            "200 OK",
            whole(
                usage={
                    **USAGE,
                    "total_tokens": 124,
                    "completion_tokens_details": {"reasoning_tokens": 100},
                    "completion_tokens": 15,
                }
            ),
        ),
        smoke={"tokens": ("failure", "it counts 115 generated tokens where 100 were allowed")},
    ),
    "LM Studio: 200 to every path": Row(
        health=answer(
            "200 OK", {"error": "Unexpected endpoint or method. (GET /health). Returning 200 anyway"}
        )
    ),
    "thoughts in the text": Row(
        chat=answer("200 OK", whole(f"<think>\nSomebody asks.\n</think>\n\n{TEXT}")),
        stream=stream(
            *[chunk({"content": t}) for t in ("<think>", "\nSomebody asks.\n", "</think>")],
            chunk({"content": "\n\n"}),
            *words(),
            END,
            LAST,
            DONE,
        ),
    ),
    "no finish_reason, as of gateways to Gemini": Row(
        stream=stream(
            *[{"choices": [{"index": 0, "delta": w["choices"][0]["delta"]}]} for w in words()], LAST, DONE
        ),
        smoke={"stream": ("warning", "finish_reason")},
    ),
    "Together: the list of models is the answer": Row(
        models=answer("200 OK", b'[{"id": "odd", "object": "model", "type": "chat"}, {"id": "other"}]')
    ),
    "a gateway to OpenAI's newer API: no fewer than 16 tokens": Row(
        least_tokens=16,
    ),
    "a firewall that wants a User-Agent": Row(wants_agent=True),
    # ---- errors with a status
    "LM Studio: nothing is loaded": Row(
        models=answer("200 OK", {"object": "list", "data": []}),
        smoke={"models": ("failure", "it lists no models")},
        bench="it lists no models",
    ),
    "packed as nobody asked": Row(
        answer("200 OK", b"\x0b\x02\x80", "Content-Encoding: br"),
        smoke={"generate": ("failure", "packed as 'br'")},
        bench="packed as 'br'",
    ),
    "llama.cpp: the model still loads": refusing(
        answer(
            "503 Service Unavailable",
            {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        ),
        "models",
        "its model still loads",
        "Loading model",
        models=answer("503 Service Unavailable", {"error": {"code": 503, "message": "Loading model"}}),
    ),
    "llama.cpp: too long": refusing(
        answer(
            "400 Bad Request",
            {
                "error": {
                    "code": 400,
                    "message": "request (900 tokens) exceeds the available context size (512 tokens), "
                    "try increasing it",
                    "type": "exceed_context_size_error",
                }
            },
        ),
        "generate",
        "does not fit",
    ),
    "SGLang: too long": refusing(
        answer(
            "400 Bad Request",
            {
                "object": "error",
                "message": "The input (61709 tokens) is longer than the model's "
                "context length (40960 tokens).",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        "generate",
        "does not fit",
    ),
    "SGLang: health while it starts": Row(
        health=answer("503 Service Unavailable", b""),
        smoke={"health": ("failure", "still starting")},
    ),
    "vLLM: more than the window": refusing(
        answer(
            "400 Bad Request",
            {
                "error": {
                    "message": "max_tokens=100 cannot be greater than max_model_len=48",
                    "type": "BadRequestError",
                    "code": 400,
                }
            },
        ),
        "generate",
        "does not fit",
    ),
    "TGI: overloaded": refusing(
        answer(
            "429 Too Many Requests",
            {"error": "Model is overloaded", "error_type": "overloaded"},
            "Retry-After: 7",
        ),
        "generate",
        "Retry-After: 7",
    ),
    "OpenAI: no money left": refusing(
        answer(
            "429 Too Many Requests",
            {
                "error": {
                    "message": "You exceeded your current quota, please check your plan and billing details.",
                    "type": "insufficient_quota",
                    "code": "insufficient_quota",
                }
            },
        ),
        "generate",
        "nothing is left on the account",
    ),
    "DeepSeek: no money left": refusing(
        answer(
            "402 Payment Required", {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}
        ),
        "generate",
        "nothing is left on the account",
    ),
    "one-api: no channel": refusing(
        answer(
            "503 Service Unavailable",
            {
                "error": {
                    "message": "当前分组 default 下对于模型 odd 无可用渠道 (request id: 20251)",
                    "type": "one_api_error",
                }
            },
        ),
        "generate",
        "not the served one",
    ),
    "one-api: a wrong key": refusing(
        answer(
            "401 Unauthorized",
            {"error": {"message": "无效的令牌 (request id: 2025)", "type": "one_api_error"}},
        ),
        "models",
        "LINGCTL_API_KEY",
        models=answer("401 Unauthorized", {"error": {"message": "无效的令牌", "type": "one_api_error"}}),
    ),
    "LiteLLM: a wrong model": refusing(
        answer(
            "400 Bad Request",
            {
                "error": {
                    "message": "/chat/completions: Invalid model name passed in model=odd. Call "
                    "`/v1/models` to view available models for your key.",
                    "type": "None",
                    "param": "None",
                    "code": "400",
                }
            },
        ),
        "generate",
        "not the served one",
    ),
    "nginx: no upstream": refusing(page("502 Bad Gateway", "nginx/1.24.0"), "generate", "502 Bad Gateway"),
    "nginx: it takes too long": refusing(
        page("504 Gateway Time-out", "nginx"), "generate", "a proxy or gateway answers"
    ),
    "Envoy: nothing healthy": refusing(
        answer("503 Service Unavailable", b"no healthy upstream", content_type="text/plain"),
        "generate",
        "a proxy or gateway answers",
    ),
    "Envoy: refused behind": refusing(
        answer(
            "503 Service Unavailable",
            b"upstream connect error or disconnect/reset before headers. reset reason: "
            b"remote connection failure, transport failure reason: delayed connect error: Connection refused",
            content_type="text/plain",
        ),
        "generate",
        "a proxy or gateway answers",
    ),
    "APISIX: no route": refusing(
        answer("404 Not Found", {"error_msg": "404 Route Not Found"}), "generate", "404 Route Not Found"
    ),
    "Cloudflare: the origin is down": refusing(
        answer("521 <none>", b"error code: 521", content_type="text/plain"),
        "generate",
        "a proxy or gateway answers",
    ),
    "a login page in front": refusing(
        REDIRECTED, "models", "redirects to https://sso.example", models=REDIRECTED
    ),
    # ---- errors with a status of success
    "a gateway: code and msg": refusing(
        answer("200 OK", gateway(401, "token 无效")), "generate", "token 无效"
    ),
    "a gateway: code, msg and success": refusing(
        answer("200 OK", {"success": False, "code": "A0500", "msg": "系统繁忙，请稍后再试"}),
        "generate",
        "系统繁忙",
    ),
    "Baidu: error_code": refusing(
        answer("200 OK", {"error_code": 18, "error_msg": "Open api qps request limit reached"}),
        "generate",
        "qps request limit",
    ),
    "MiniMax: base_resp": refusing(
        answer(
            "200 OK", {"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}, "choices": None}
        ),
        "generate",
        "wants an API key",
        "LINGCTL_API_KEY",
    ),
    "OpenRouter: the provider's error": refusing(
        answer("200 OK", {"error": {"message": "Provider returned error", "code": 502}}),
        "generate",
        "Provider returned",
    ),
    # ---- broken in the stream alone
    "FastChat: an error_code in the stream": Row(
        stream=stream(*words()[:2], {"text": "**NETWORK ERROR DUE TO HIGH TRAFFIC.**", "error_code": 50001}),
        smoke={"stream": ("failure", "HIGH TRAFFIC")},
        bench="HIGH TRAFFIC",
    ),
    "OpenRouter: an error beside choices": Row(
        stream=stream(
            *words()[:2],
            {**chunk({"content": ""}, "error"), "error": {"code": 502, "message": "Provider gone"}},
        ),
        smoke={"stream": ("failure", "Provider gone")},
        bench="Provider gone",
    ),
    "llama.cpp: too long, told in the stream": Row(
        stream=stream({"error": {"code": 400, "message": "exceeds the available context size"}}),
        smoke={"stream": ("failure", "context size")},
        bench="context size",
    ),
    "a gateway that does not stream": Row(
        stream=GOOD_WHOLE,
        smoke={"stream": ("failure", "it answers whole, though a stream was asked for")},
        bench="it answers whole",
    ),
    "a gateway: an error in place of a stream": Row(
        stream=answer("200 OK", gateway(500, "模型服务异常")),
        smoke={"stream": ("failure", "模型服务异常")},
        bench="模型服务异常",
    ),
    "a page in place of a stream": Row(
        stream=page("200 OK", "portal").replace(b"<h1>200 OK", b"<h1>Sign in"),
        smoke={"stream": ("failure", "Sign in")},
        bench="Sign in",
    ),
}


@contextmanager
def odd_service(row: Row) -> Iterator[str]:
    """It answers while the block runs; yields its base URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while head := self._head():
                found = LENGTH.search(head)
                body = self.rfile.read(int(found[1])) if found else b""
                said = _answer(row, head, body)
                self.wfile.write(said)
                if not LENGTH.search(said.partition(b"\r\n\r\n")[0]):
                    return

        def _head(self):
            head = b""
            while (line := self.rfile.readline()).strip():
                head += line
            return head

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _answer(row: Row, head: bytes, body: bytes) -> bytes:
    path = head.split(b" ")[1]
    if row.wants_agent and b"\nuser-agent:" not in head.lower():
        return page("403 Forbidden", "waf")
    if path == b"/v1/models":
        return row.models
    if path == b"/health":
        return row.health
    if path != b"/v1/chat/completions":
        return NO_HEALTH if b" 200 " in row.chat[:20] else row.chat
    asked = json.loads(body)
    if "messages" not in asked and row.chat[9:12] == b"200":
        return REFUSED
    if asked.get("max_tokens", 1 << 20) < row.least_tokens:
        said = f"Invalid 'max_output_tokens': integer below minimum value. Expected >= {row.least_tokens}"
        return answer("400 Bad Request", {"error": {"message": said, "type": "invalid_request_error"}})
    return row.stream if asked.get("stream") else row.chat
