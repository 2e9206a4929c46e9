"""A local server that sends each answer's tokens by the clock, and notes when it did: a witness for clients.

A request's first token comes ``--first-ms`` after the request, and up to ``--spread-ms`` later: requests that
come together are spread evenly over that time, as prefill spreads them. Then a token comes every
``--step-ms``. Spread so, events do not come in bursts, in which a client would measure mostly its own queue.

Two shapes of streams. ``plain``, MindIE's: every event brings one token, the last one also the reason and the
usage; nothing else is sent, so that all definitions of TTFT, TPOT, ITL and the end mean the same moments.
``mixed``, as OpenAI's and vLLM's: an event with the role alone at once, events with two tokens (every third),
an event that ends the answer without text (the end-of-text token), and the usage in an event of its own.

``GET /stamps``: for each request the time at which it came and those of its events with tokens and of its end
(seconds, CLOCK_MONOTONIC), and forgets them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fast_server import HEAD, Engine, choice, chunk, event, serve

# The golden ratio's fraction: each prefix of its multiples is spread evenly over 0..1.
_EVENLY = 0.6180339887498949
_PROMPT_TOKENS = 8
_PAIRS = 3


class PacedEngine(Engine):
    """Answers each request at its own pace."""

    def __init__(self, tokens, first, spread, step, shape):
        super().__init__(tokens, step)
        self.first = first
        self.spread = spread
        self.count = 0
        self.begins = HEAD
        plan = _plain(tokens) if shape == "plain" else _mixed(tokens)
        if shape == "mixed":
            self.begins += chunk(choice("", role="assistant"))
        *self.events, last = plan
        self.events.append(last + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    def start(self, transport, number):
        received = time.perf_counter()
        noted = self.stamps[self.count] = [received]
        self.count += 1
        transport.write(self.begins)
        due = received + self.first + self.spread * (self.count * _EVENLY % 1)
        asyncio.get_running_loop().call_at(due, self._send, transport, noted, due)

    def _send(self, transport, noted, due):
        if transport.is_closing():
            return
        data = self.events[len(noted) - 1]
        noted.append(time.perf_counter())
        transport.write(data)
        if len(noted) <= len(self.events):
            due += self.step
            asyncio.get_running_loop().call_at(due, self._send, transport, noted, due)

    async def run(self):
        """Nothing runs beside the requests' own clocks."""


def _usage(tokens):
    total = _PROMPT_TOKENS + tokens
    return {"prompt_tokens": _PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": total}


def _plain(tokens):
    return [chunk(choice(" word"))] * (tokens - 1) + [chunk(choice(" end", "stop", usage=_usage(tokens)))]


def _mixed(tokens):
    texts, left = [], tokens - 1  # the last is the end-of-text token
    while left:
        made = min(left, 2 if len(texts) % _PAIRS == _PAIRS - 1 else 1)
        texts.append(chunk(choice(" word" * made)))
        left -= made
    usage = event(id="x", object="chat.completion.chunk", model="fast", choices=[], usage=_usage(tokens))
    return [*texts, chunk(choice("", "stop")) + chunk(usage)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--first-ms", type=float, default=200.0)
    parser.add_argument("--spread-ms", type=float, default=0.0)
    parser.add_argument("--step-ms", type=float, default=20.0)
    parser.add_argument("--shape", choices=("plain", "mixed"), default="plain")
    options = parser.parse_args()
    times = (options.first_ms / 1000, options.spread_ms / 1000, options.step_ms / 1000)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(PacedEngine(options.tokens, *times, options.shape)))


if __name__ == "__main__":
    main()
