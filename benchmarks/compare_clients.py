"""The figures of ``lingctl bench`` beside those of other published clients, on one server, in turns.

The server (clients/paced_server.py) sends tokens by the clock and notes when: it is the witness. Each client
puts on the same load, one after the other, several times round; what is told is the median of the rounds, and
the median of how far a client's figure is from what the server itself noted in the same run.

    python benchmarks/compare_clients.py --vllm DIR

DIR is a virtual environment with vLLM (any build of it: ``vllm bench serve`` needs no device). Environments
with AISBench and evalscope are made at the first run, in --environments. Without --vllm it is left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.others import FIGURES, Aisbench, Evalscope, Lingctl, Task, Vllm, environment
from tokenizers import Tokenizer, models, pre_tokenizers

SERVER = Path(__file__).resolve().parent / "clients" / "paced_server.py"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lingctl-clients"
# Not a figure of the clients': how long it took until as many requests had come as are open at a time.
BEGUN = "all begun after"
# Two figures agree if they are no further apart than this share.
AGREE = 0.02


@dataclass(frozen=True)
class Level:
    """A load, and the pace at which the server answers it (ms)."""

    name: str
    concurrency: int
    count: int
    tokens: int
    first: float
    spread: float
    step: float
    shape: str = "plain"
    warmup: int = 1
    most_rounds: int = 1000  # it shows no noise but what differs in kind


# As many events a second (1,300 at most) as the slowest of the clients takes from 512 streams on one core
# while the server has the other.
LEVELS = (
    Level("1", 1, 6, 16, 200, 0, 20),
    Level("64", 64, 128, 16, 300, 200, 50),
    Level("512", 512, 1024, 7, 1000, 2000, 400, warmup=0),
    Level("64, mixed", 64, 128, 16, 300, 200, 50, "mixed", most_rounds=2),
)


@contextmanager
def served(level):
    """The server of a level, while the block runs; yields its URL."""
    words = [
        sys.executable,
        SERVER,
        "--tokens",
        level.tokens,
        "--first-ms",
        level.first,
        "--shape",
        level.shape,
    ]
    words += ["--spread-ms", level.spread, "--step-ms", level.step]
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def stamps(url):
    """What the server noted since it was asked last, in the order of requests."""
    with urllib.request.urlopen(f"{url}/stamps") as answer:
        return sorted(json.load(answer).values())


def witnessed(noted, tokens):
    """The server's own figures: of what it sent and when."""
    spans = [(came, sent[0], sent[-1]) for came, *sent in noted]
    gaps = [b - a for _, *sent in noted for a, b in itertools.pairwise(sent)]
    seconds = max(last for *_, last in spans) - min(came for came, *_ in spans)
    times = (
        [first - came for came, first, _ in spans],
        [(last - first) / (tokens - 1) for _, first, last in spans],
        gaps,
        [last - came for came, _, last in spans],
    )
    means = [1000 * statistics.fmean(values) for values in times]
    return dict(zip(FIGURES, [*means, tokens * len(noted) / seconds], strict=True))


def write_shared(folder, count):
    """What all clients need: prompts, and a tokenizer to which each word is a token."""
    place = folder / "tokenizer"
    place.mkdir()
    words = {"<unk>": 0, "word": 1, "end": 2, "say": 3, "something": 4, "please": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(place / "tokenizer.json"))
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "chat_template": template}
    (place / "tokenizer_config.json").write_text(json.dumps(told))
    (place / "config.json").write_text('{"model_type": "llama"}')
    prompts = [f"#{number}# say something please" for number in range(count)]
    rows = [{"prompt": prompt, "question": prompt, "answer": "word"} for prompt in prompts]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompts.txt").write_text("\n".join(prompts) + "\n")


def measure(client, level, url, folder):
    """One run: the client's figures, and the server's of the same run."""
    stamps(url)
    task = Task(url, level.concurrency, level.count, level.tokens, level.warmup, folder, folder.parent)
    told = client.run(task)
    # What was sent before the load itself (warm-up, a test of the service) is left out.
    noted = stamps(url)[-level.count :]
    begun = 1000 * (noted[level.concurrency - 1][0] - noted[0][0])
    return told, {**witnessed(noted, level.tokens), BEGUN: begun}


def compare(clients, levels, rounds, folder):
    """All runs, in turns: a list of (client's, server's) figures for each level and client."""
    found = {(level.name, client.name): [] for level in levels for client in clients}
    with ExitStack() as servers:
        urls = {level.name: servers.enter_context(served(level)) for level in levels}
        for number in range(rounds):
            for level in (one for one in levels if number < one.most_rounds):
                # Nobody is always the first.
                turn = number % len(clients)
                for client in clients[turn:] + clients[:turn]:
                    place = Path(tempfile.mkdtemp(dir=folder))
                    began = time.perf_counter()
                    found[level.name, client.name].append(measure(client, level, urls[level.name], place))
                    took = f"{time.perf_counter() - began:.1f} s"
                    said = f"round {number + 1} of {rounds}, {level.name} at a time, {client.name}: {took}"
                    print(said, file=sys.stderr, flush=True)
    return found


def rows_of(level, clients, found):
    """Rows of the table: the server's median, then each client's with its distance from the server's."""
    for figure in FIGURES:
        server = [seen[figure] for client in clients for _, seen in found[level.name, client.name]]
        cells, distances = [], []
        for client in clients:
            runs = found[level.name, client.name]
            distance = statistics.median(told[figure] / seen[figure] - 1 for told, seen in runs)
            middle = statistics.median(told[figure] for told, _ in runs)
            cells.append(f"{middle:.2f} ({100 * distance:+.1f} %)")
            distances.append(distance)
        apart = max(abs(other - distances[0]) for other in distances[1:]) if distances[1:] else 0.0
        mark = "" if apart <= AGREE else " (apart)"
        middle = f"{statistics.median(server):.2f}"
        yield (level.name, figure, middle, *cells, f"{100 * apart:.1f} %{mark}")


def begun_row(level, clients, found):
    """A row that tells how a client begins."""
    runs = [found[level.name, client.name] for client in clients]
    cells = [f"{statistics.median(seen[BEGUN] for _, seen in one):.0f}" for one in runs]
    return (level.name, BEGUN, "", *cells, "")


def table(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vllm", type=Path, help="virtual environment with vLLM")
    parser.add_argument("--environments", type=Path, default=CACHE, help="where the others' are, or are made")
    parser.add_argument("--rounds", type=int, default=5)
    names = [level.name for level in LEVELS]
    parser.add_argument("--levels", nargs="*", default=names, choices=names)
    options = parser.parse_args()
    load = os.getloadavg()
    made = {name: environment(name, options.environments) for name in ("AISBench", "evalscope")}
    clients = [Lingctl(), Aisbench(made["AISBench"]), Evalscope(made["evalscope"])]
    if options.vllm:
        clients.insert(1, Vllm(options.vllm / "bin" / "python"))
    levels = [level for level in LEVELS if level.name in options.levels]
    try:
        for client in clients:
            client.wait()
        with tempfile.TemporaryDirectory() as scratch:
            write_shared(Path(scratch), max(level.count for level in levels))
            found = compare(clients, levels, options.rounds, Path(scratch))
    finally:
        for client in clients:
            client.close()
    head = (
        "at a time",
        "mean, ms",
        "server",
        *(client.name for client in clients),
        "lingctl from the others",
    )
    print(f"load average {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after; {options.rounds} rounds\n")
    for shape in ("plain", "mixed"):
        shown = [level for level in levels if level.shape == shape]
        rows = [(*rows_of(level, clients, found), begun_row(level, clients, found)) for level in shown]
        if rows:
            print(table(head, [row for one in rows for row in one]), end="\n\n")


if __name__ == "__main__":
    main()
