"""Ten thousand requests, 256 at a time, against the emulated MindIE: every one accounted for.

    python benchmarks/load.py --requests 10000 --concurrency 256

Starts the emulated daemon on a loopback address of its own, puts the load of ``lingctl bench`` on it, and
compares the client's account with the server's own numbers (its request and token counts are in usage, its
health afterwards must be good). Exit status 0 only if all of it adds up.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.serving.bench.load import Pace
from lingctl.serving.bench.report import amounts, time_rows
from lingctl.serving.endpoint import Endpoint
from lingctl.serving.http.client import Client
from tests.engine_node import EngineNode, address, tiny


def show(event):
    if event.state != "progress" or event.text.split()[0].endswith("000"):
        print(f"  {event.task}: {event.text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--input-len", type=int, default=16)
    parser.add_argument("--output-len", type=int, default=8)
    options = parser.parse_args()
    print(f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        node = EngineNode(Path(folder), "3.0.0", tiny("lite"), address(90))
        node.add_overlay()
        node.start()
        try:
            node.wait_success()
            url = f"http://{node.address}:{node.port}"
            endpoint = Endpoint(url, f"http://{node.address}:{node.port + 1}")
            load = BenchOptions(
                requests=options.requests,
                pace=Pace(concurrency=options.concurrency),
                input_tokens=options.input_len,
                output_tokens=options.output_len,
            )
            report = bench_service(UrlService(endpoint), load, show)
            health = Client(endpoint).health()
        finally:
            node.close()
    found = report.metrics
    for row in time_rows(found):
        print("  ".join(f"{cell:>10}" for cell in row))
    for name, value in amounts(found):
        print(f"{name:>16}: {value}")
    indices = [outcome.index for outcome in report.outcomes]
    checks = {
        "one outcome for each request": indices == list(range(options.requests)),
        "every request answered or its error named": found.completed + sum(found.errors.values())
        == options.requests,
        "no request failed": not found.errors,
        "the service counted every token": found.output_tokens == options.requests * options.output_len,
        "the service is healthy afterwards": getattr(health, "status", 0) == 200,
    }
    for name, good in checks.items():
        print(f"{'ok' if good else 'FAILED':>8}  {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
