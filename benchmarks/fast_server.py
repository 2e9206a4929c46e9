"""A local server that streams tokens as fast as Python can, for measuring clients instead of servers.

It works in steps, as an engine with continuous batching does: at every step each open request gets one
token. It remembers when it sent each token of each request (numbered by ``#N#`` in the prompt); ``GET
/stamps`` returns those times and forgets them. Times are CLOCK_MONOTONIC, the same in all processes.

    python benchmarks/fast_server.py --tokens 32 --step-ms 10
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import time

NUMBER = re.compile(rb"#(\d+)#")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\n\r\n"
)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(**fields):
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def choice(content, finish=None, role=None, **more):
    delta = {"content": content} if role is None else {"role": role, "content": content}
    shape = {"index": 0, "delta": delta, "finish_reason": finish}
    return event(id="x", object="chat.completion.chunk", model="fast", choices=[shape], **more)


class Engine:
    def __init__(self, tokens, step):
        self.tokens = tokens
        self.step = step
        self.open = []
        self.stamps = {}
        usage = {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": 8 + tokens}
        self.token = chunk(choice(" word"))
        self.last = chunk(choice(" end", "stop", usage=usage)) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"

    def start(self, transport, number):
        sent = self.stamps[number] = []
        transport.write(HEAD)
        if self.step:
            self.open.append((transport, sent))
            return
        transport.write(self.token * (self.tokens - 1) + self.last)
        sent.extend([time.perf_counter()] * self.tokens)

    async def run(self):
        due = time.perf_counter()
        while self.step:
            due = max(due + self.step, time.perf_counter() - self.step)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            still = []
            for transport, sent in self.open:
                if transport.is_closing():
                    continue
                last = len(sent) == self.tokens - 1
                sent.append(time.perf_counter())
                transport.write(self.last if last else self.token)
                if not last:
                    still.append((transport, sent))
            self.open = still


class Connection(asyncio.Protocol):
    def __init__(self, engine):
        self.engine = engine
        self.pending = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.pending += data
        while True:
            end = self.pending.find(b"\r\n\r\n")
            if end < 0:
                return
            found = LENGTH.search(self.pending[:end])
            length = int(found[1]) if found else 0
            if len(self.pending) < end + 4 + length:
                return
            head, body = self.pending[:end], self.pending[end + 4 : end + 4 + length]
            self.pending = self.pending[end + 4 + length :]
            self.answer(head, body)

    def answer(self, head, body):
        if head.startswith(b"POST") and b'"stream": true' in body.replace(b'":true', b'": true'):
            found = NUMBER.search(body)
            self.engine.start(self.transport, int(found[1]) if found else -1)
        elif head.startswith(b"POST"):
            message = {"role": "assistant", "content": "word"}
            usage = {
                "prompt_tokens": len(body.split()),
                "completion_tokens": 1,
                "total_tokens": len(body.split()) + 1,
            }
            self.json({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})
        elif head.startswith(b"GET /stamps"):
            stamps, self.engine.stamps = self.engine.stamps, {}
            self.json(stamps)
        else:
            self.json({"object": "list", "data": [{"id": "fast", "owned_by": "benchmarks"}]})

    def json(self, data):
        body = json.dumps(data).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)


async def serve(engine, port=0):
    """Serve until the process ends; the port is told on standard output."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(engine), "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(engine.run(), server.serve_forever())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--step-ms", type=float, default=0.0)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Engine(options.tokens, options.step_ms / 1000), options.port))


if __name__ == "__main__":
    main()
