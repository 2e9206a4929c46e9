"""How much of a measured time is the client's own doing, and how many requests it can carry at most.

One fast local server (fast_server.py) writes down when it sent each token. A client's added delay is the time
that it noted for that token, less that: both on CLOCK_MONOTONIC. Its ceiling is the rate at which it takes
answers whose tokens come all at once.

Compared in one run, in turns, each in a process of its own:
- lingctl: the load of ``lingctl bench``;
- aiperf: AIPerf as published (with multiple worker processes), by the times in its raw export;
- aiohttp: a client on aiohttp by the algorithm of vLLM's serving benchmark.

The two others want a Python that has them; aiperf brings aiohttp along:

    python -m venv .venv-clients && .venv-clients/bin/pip install aiperf
    python benchmarks/bench_client.py --others .venv-clients/bin
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TOKENS = 16
# Milliseconds between tokens: what one core can send to so many in Python leaves room.
STEPS = {1: 10, 64: 25, 512: 150}
ROUNDS = {1: 20, 64: 4, 512: 2}
CEILING_REQUESTS = {1: 400, 64: 3000, 512: 3000}
ASK = "#{}# say something"


@dataclass
class Run:
    """What a client noted: arrivals of tokens by request (seconds), its span, its processor time."""

    arrivals: dict[int, list[float]]
    started: float
    ended: float
    cpu: float | None = None

    @property
    def rate(self):
        return len(self.arrivals) / (self.ended - self.started)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share / 100 * len(ordered)))]


# ---- the clients


def run_lingctl(url, count, concurrency):
    from lingctl.serving.bench.connection import Target
    from lingctl.serving.bench.load import Pace, run_load
    from lingctl.serving.endpoint import address_of
    from lingctl.serving.http.api import CHAT, Ask

    address = address_of(url)
    bodies = [CHAT.body("fast", Ask(ASK.format(n), max_tokens=TOKENS), True) for n in range(count)]
    load = run_load(Target(address, address.place, CHAT), bodies, Pace(concurrency=concurrency))
    failed = [outcome.error_text for outcome in load.outcomes if not outcome.ok]
    assert not failed, failed[:3]
    return Run(
        {outcome.index: list(outcome.token_at) for outcome in load.outcomes},
        min(outcome.sent_at for outcome in load.outcomes),
        max(outcome.ended_at for outcome in load.outcomes),
        load.cpu_seconds,
    )


def run_aiohttp(url, count, concurrency):
    """vLLM's algorithm: a semaphore, one session, every chunk decoded, split and parsed as it comes."""
    import aiohttp

    arrivals, spans = {}, []

    async def one(session, gate, number):
        body = {
            "model": "fast",
            "messages": [{"role": "user", "content": ASK.format(number)}],
            "max_completion_tokens": TOKENS,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        noted, text, pending = [], "", ""
        async with gate:
            sent = time.perf_counter()
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                assert response.status == 200
                async for data in response.content.iter_any():
                    pending += data.decode()
                    *events, pending = pending.split("\n\n")
                    for event in events:
                        payload = event.strip().removeprefix("data: ")
                        if payload == "[DONE]":
                            continue
                        at = time.perf_counter()
                        choices = json.loads(payload).get("choices")
                        if choices:
                            text += choices[0]["delta"].get("content") or ""
                            noted.append(at)
        spans.append((sent, noted[-1]))
        arrivals[number] = noted

    async def load():
        connector = aiohttp.TCPConnector(
            limit=concurrency, limit_per_host=concurrency, ttl_dns_cache=300, keepalive_timeout=60
        )
        gate = asyncio.Semaphore(concurrency)
        async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
            await asyncio.gather(*(one(session, gate, n) for n in range(count)))

    cpu = time.process_time()
    asyncio.run(load())
    cpu = time.process_time() - cpu
    return Run(arrivals, min(sent for sent, _ in spans), max(ended for _, ended in spans), cpu)


def run_aiperf(url, count, concurrency, program):
    from lingctl.sandbox.engine.tiny_models.tokenizer_files import write_tokenizer

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "tokenizer").mkdir()
        write_tokenizer(folder / "tokenizer")
        prompts = "".join(json.dumps({"text": ASK.format(n)}) + "\n" for n in range(count))
        (folder / "prompts.jsonl").write_text(prompts)
        command = [program, "profile", "-m", "fast", "--url", url, "--endpoint-type", "chat", "--streaming"]
        command += ["--input-file", folder / "prompts.jsonl", "--custom-dataset-type", "single_turn"]
        command += ["--request-count", count, "--concurrency", concurrency, "--use-server-token-count"]
        command += ["--tokenizer", folder / "tokenizer", "--export-level", "raw", "--ui", "none"]
        command += ["--artifact-dir", folder / "artifacts"]
        env = {**os.environ, "HOME": scratch}
        subprocess.run([str(word) for word in command], env=env, check=True, capture_output=True, timeout=600)
        arrivals, starts, ends = {}, [], []
        for line in (folder / "artifacts/profile_export_raw.jsonl").read_text().splitlines():
            record = json.loads(line)
            number = int(re.search(r"#(\d+)#", record["payload"]["messages"][0]["content"])[1])
            events = [r for r in record["responses"] if r["packets"][0]["value"] != "[DONE]"]
            arrivals[number] = [event["perf_ns"] / 1e9 for event in events]
            starts.append(record["start_perf_ns"] / 1e9)
            ends.append(events[-1]["perf_ns"] / 1e9)
    return Run(arrivals, min(starts), max(ends))


# ---- the comparison


def start_server(step_ms):
    command = [sys.executable, ROOT / "benchmarks/fast_server.py", "--tokens", str(TOKENS)]
    command += ["--step-ms", str(step_ms)]
    server = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    return server, f"http://127.0.0.1:{server.stdout.readline().strip()}"


def measure(client, step_ms, count, concurrency, others):
    """Added delays of every token in milliseconds, and the Run."""
    server, url = start_server(step_ms)
    try:
        if client == "aiperf":
            run = run_aiperf(url, count, concurrency, Path(others) / "aiperf")
        else:
            python = Path(others) / "python" if client == "aiohttp" else sys.executable
            command = [python, __file__, "--as", client, "--url", url]
            command += ["--count", count, "--concurrency", concurrency]
            said = subprocess.run([str(w) for w in command], check=True, capture_output=True, text=True)
            data = json.loads(said.stdout)
            run = Run({int(n): at for n, at in data["arrivals"].items()}, *data["span"], data["cpu"])
        stamps = json.load(urllib.request.urlopen(f"{url}/stamps"))
    finally:
        server.terminate()
        server.wait()
    assert len(run.arrivals) == count, f"{client}: {len(run.arrivals)} of {count}"
    delays = [
        1000 * (arrived - left)
        for number, arrivals in run.arrivals.items()
        for arrived, left in zip(arrivals, stamps[str(number)], strict=True)
    ]
    return delays, run


def compare(clients, levels, repeats, others):
    for concurrency in levels:
        step = STEPS[concurrency]
        print(f"\nconcurrency {concurrency}: added delay of a token in ms (one each {step} ms), and ceiling")
        print(f"{'':>10} {'p50':>8} {'p99':>8} {'max':>8} {'requests/s':>12} {'cpu ms/request':>15}")
        rows = {client: ([], [], []) for client in clients}
        for _ in range(repeats):
            for client in clients:
                count = ROUNDS[concurrency] * concurrency
                delays, _ = measure(client, STEPS[concurrency], count, concurrency, others)
                _, top = measure(client, 0, CEILING_REQUESTS[concurrency], concurrency, others)
                spread, rates, cpus = rows[client]
                spread.append((percentile(delays, 50), percentile(delays, 99), max(delays)))
                rates.append(top.rate)
                cpus.append(1000 * top.cpu / len(top.arrivals) if top.cpu is not None else None)
        for client, (spread, rates, cpus) in rows.items():
            middle = [statistics.median(values) for values in zip(*spread, strict=True)]
            cpu = "(several)" if None in cpus else f"{statistics.median(cpus):.3f}"
            figures = " ".join(f"{value:8.3f}" for value in middle)
            print(f"{client:>10} {figures} {statistics.median(rates):20.0f} {cpu:>15}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--others", help="folder with python and aiperf of the environment with the others")
    parser.add_argument("--levels", type=int, nargs="*", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--as", dest="client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        run_as = {"lingctl": run_lingctl, "aiohttp": run_aiohttp}[options.client]
        run = run_as(options.url, options.count, options.concurrency)
        print(json.dumps({"arrivals": run.arrivals, "span": [run.started, run.ended], "cpu": run.cpu}))
        return
    clients = ["lingctl"]
    if options.others:
        clients += ["aiohttp"]
        clients += ["aiperf"] if (Path(options.others) / "aiperf").exists() else []
    else:
        print("only lingctl itself: name an environment with the others, see --help")
    compare(clients, options.levels, options.repeats, options.others)


if __name__ == "__main__":
    main()
