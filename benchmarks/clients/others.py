"""Other published clients: their environments, how each is started, and where each keeps its figures.

All figures are means in milliseconds, and tokens per second, as the client itself tells them.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

HERE = Path(__file__).resolve().parent
LINGCTL = Path(sys.executable).parent / "lingctl"
FIGURES = ("TTFT", "TPOT", "ITL", "E2E", "tokens/s")
MOST_SECONDS = 300
# AISBench wants pyext, which no Python after 3.10 installs and which its measuring of services does not use;
# a newer pyarrow refuses the numpy that it wants. One torch for all keeps the environment small.
PACKAGES = {
    "AISBench": ("ais-bench-benchmark==3.1.20260630", "torch==2.13.0", "pyarrow<21"),
    "evalscope": ("evalscope[perf]==1.14.1",),
}
_PYEXT = "Metadata-Version: 2.1\nName: pyext\nVersion: 0.5\n"


@dataclass(frozen=True)
class Task:
    """One run: a load that every client puts on alike."""

    url: str  # of the service, without /v1
    concurrency: int
    count: int  # requests that are measured
    tokens: int  # of each answer
    warmup: int  # requests that are sent first and not measured
    folder: Path  # of the run, empty
    shared: Path  # holds tokenizer/, prompts.jsonl and prompts.txt with ``count`` prompts or more


def environment(name, folder):
    """The Python of a client's environment, which is made where it is not there."""
    place = folder / name.lower()
    python = place / "bin" / "python"
    if (place / "complete").exists():
        return python
    print(f"making an environment for {name}: {place}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
    if name == "AISBench":
        (site,) = place.glob("lib/python*/site-packages")
        (site / "pyext-0.5.dist-info").mkdir()
        for file, text in (("METADATA", _PYEXT), ("RECORD", ""), ("INSTALLER", "pip\n")):
            (site / "pyext-0.5.dist-info" / file).write_text(text)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
    (place / "complete").touch()
    return python


class Client:
    """A published client, imported once; each run is a process of its own."""

    name = ""
    entry = ""
    modules: ClassVar[tuple[str, ...]] = ()
    variables: ClassVar[dict[str, str]] = {}

    def __init__(self, python):
        path = {"PYTHONPATH": str(HERE)}
        words = [python, HERE / "warm.py", self.entry, *self.modules]
        offline = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **offline, **path, **self.variables},
            start_new_session=True,
        )

    def wait(self):
        """Until it is imported."""
        assert self.process.stdout.readline() == "ready\n", f"{self.name} cannot be imported"

    def run(self, task):
        """Put a load on; the client's own figures."""
        log = task.folder / "log"
        line = {"argv": self.argv(task), "cwd": str(task.folder), "log": str(log)}
        print(json.dumps(line), file=self.process.stdin, flush=True)
        ended, _, _ = select.select([self.process.stdout], [], [], MOST_SECONDS)
        status = self.process.stdout.readline().strip() if ended else f"no end within {MOST_SECONDS} s"
        if status != "0":
            raise RuntimeError(f"{self.name} ended with {status}:\n{log.read_text()[-3000:]}")
        return self.read(task)

    def close(self):
        self.process.stdin.close()
        # With what it started, should that still run.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


class Vllm(Client):
    """``vllm bench serve``."""

    name = "vllm bench serve"
    entry = "vllm.entrypoints.cli.main:main"
    modules = (
        "vllm.entrypoints.cli.main",
        "vllm.entrypoints.cli.serve",
        "vllm.entrypoints.cli.launch",
        "vllm.entrypoints.cli.run_batch",
        "vllm.entrypoints.cli.benchmark.main",
        "vllm.benchmarks.serve",
    )
    variables: ClassVar[dict[str, str]] = {"VLLM_NO_USAGE_STATS": "1", "VLLM_HOST_IP": "127.0.0.1"}

    def argv(self, task):
        words = ["vllm", "bench", "serve", "--backend", "openai-chat", "--endpoint", "/v1/chat/completions"]
        words += ["--base-url", task.url, "--model", "fast", "--tokenizer", str(task.shared / "tokenizer")]
        words += ["--dataset-name", "random", "--random-input-len", "8", "--random-output-len"]
        words += [str(task.tokens), "--num-prompts", str(task.count), "--disable-tqdm"]
        words += ["--num-warmups", str(task.warmup), "--max-concurrency", str(task.concurrency)]
        words += ["--temperature", "0", "--percentile-metrics", "ttft,tpot,itl,e2el"]
        return [*words, "--save-result", "--result-filename", "result.json"]

    def read(self, task):
        data = json.loads((task.folder / "result.json").read_text())
        assert data["completed"] == task.count, data["failed"]
        times = [data[f"mean_{name}_ms"] for name in ("ttft", "tpot", "itl", "e2el")]
        return dict(zip(FIGURES, [*times, data["output_throughput"]], strict=True))


class Evalscope(Client):
    """``evalscope perf``."""

    name = "evalscope perf"
    entry = "evalscope.cli.cli:run_cmd"
    modules = ("evalscope.cli.cli", "evalscope.perf.main")

    def argv(self, task):
        words = ["evalscope", "perf", "--url", f"{task.url}/v1/chat/completions", "--api", "openai"]
        words += ["--model", "fast", "--tokenizer-path", str(task.shared / "tokenizer"), "--parallel"]
        words += [str(task.concurrency), "--number", str(task.count), "--dataset", "custom"]
        words += ["--dataset-path", str(task.shared / "prompts.txt"), "--max-tokens", str(task.tokens)]
        words += ["--temperature", "0", "--no-test-connection", "--warmup-num", str(task.warmup)]
        return [*words, "--outputs-dir", "out", "--no-timestamp"]

    def read(self, task):
        (file,) = (task.folder / "out").rglob("benchmark_summary.json")
        data = json.loads(file.read_text())
        assert data["Success Requests"] == task.count, data
        times = [data["Avg TTFT (ms)"], data["Avg TPOT (ms)"], data["Avg ITL (ms)"]]
        times.append(1000 * data["Avg Latency (s)"])
        return dict(zip(FIGURES, [*times, data["Output Throughput (tok/s)"]], strict=True))


class Aisbench(Client):
    """``ais_bench -m perf``."""

    name = "AISBench"
    entry = "ais_bench.benchmark.cli.main:main"
    modules = ("ais_bench.benchmark.cli.workers", "ais_bench.benchmark.cli.config_manager", "aisbench_runner")

    def argv(self, task):
        values = {"TOKENIZER": str(task.shared / "tokenizer"), "PROMPTS": str(task.shared / "prompts.jsonl")}
        values |= {"PORT": int(task.url.rpartition(":")[2]), "TOKENS": task.tokens}
        values["AT_A_TIME"] = task.concurrency
        text = (HERE / "aisbench_config.txt").read_text()
        for name, value in values.items():
            text = text.replace(f": {name},", f": {value!r},")
        config = task.folder / "config.py"
        config.write_text(text)
        words = ["ais_bench", str(config), "-m", "perf", "-w", "out", "--num-prompts", str(task.count)]
        return [*words, "--num-warmups", str(task.warmup)]

    def read(self, task):
        (file,) = (task.folder / "out").rglob("load.csv")
        with file.open() as lines:
            rows = {row["Performance Parameters"]: row for row in csv.DictReader(lines)}
        data = json.loads(file.with_suffix(".json").read_text())
        assert data["Success Requests"]["total"] == task.count, data
        times = [_number(rows[name]["Average"]) for name in ("TTFT", "TPOT", "ITL", "E2EL")]
        rate = _number(data["Output Token Throughput"]["total"])
        return dict(zip(FIGURES, [*times, rate], strict=True))


def _number(told):
    return float(told.split()[0])


class Lingctl:
    """``lingctl bench`` of this checkout."""

    name = "lingctl bench"

    def wait(self):
        pass

    def run(self, task):
        words = [LINGCTL, "bench", "--url", task.url, "--dataset", task.shared / "prompts.jsonl", "--json"]
        words += ["--requests", task.count, "--concurrency", task.concurrency, "--warmup", task.warmup]
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, timeout=MOST_SECONDS
        )
        if done.returncode:
            raise RuntimeError(f"lingctl ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        data = json.loads(done.stdout)["metrics"]
        times = [data[name]["mean"] for name in ("ttft", "tpot", "itl", "end_to_end")]
        return dict(zip(FIGURES, [*times, data["output_tokens_per_second"]], strict=True))

    def close(self):
        pass
