"""Files that a user names: data sets and results of bench, config.json and rank tables for render."""

from __future__ import annotations

import json
from pathlib import Path

from lingctl.flows.files.judge import check_file
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.serving.bench.prompts import read_dataset
from lingctl.serving.bench.results import BenchComparison, check_results, last_two, read_results
from tests.fuzz.reader import Reader
from tests.fuzz.readers.samples import files

_GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def _dataset(data: bytes, folder: Path) -> object:
    """As JSON Lines, as JSON, or as plain lines."""
    told = []
    name = {0: "set.jsonl", 1: "set.json", 2: "set.txt"}[len(data) % 3]
    path = folder / name
    path.write_bytes(data)
    for prompt in read_dataset(path)[:5]:
        told.append([prompt.text[:100], prompt.max_tokens])
    return told


def _dataset_seeds() -> list[bytes]:
    rows: list[object] = [
        {"prompt": "Who are you?", "max_tokens": 64},
        {"question": "Why?", "output_len": 5},
        {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "Who?"}]},
        {"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "I"}]},
        "a text",
    ]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    return [
        lines,
        lines + b"\n",
        json.dumps(rows).encode(),
        json.dumps(rows).encode() + b" ",
        b"Who?\nWhy?\n",
    ]


def _results(data: bytes, folder: Path) -> object:
    path = folder / "results.jsonl"
    path.write_bytes(data)
    check_results(path)
    seen = len(read_results(path))
    both = BenchComparison(*last_two([path]))
    return [seen, both.rows(), both.differences, both.as_json()]


def _results_seeds() -> list[bytes]:
    times = {"p50": 5.0, "p90": 7.5, "p99": 9.0, "mean": 5.5}
    metrics = {
        "requests_per_second": 2.5,
        "good_requests_per_second": None,
        "input_tokens_per_second": 100.0,
        "output_tokens_per_second": 50,
        "ttft": times,
        "tpot": times,
        "itl": times,
        "end_to_end": times,
        "concurrency": 8,
        "failed": 0,
    }
    one = {"document": "bench", "version": 1, "model": "m", "options": {"requests": 6}, "metrics": metrics}
    line = json.dumps(one).encode()
    return [line + b"\n" + line + b"\n", line]


def _rendered(data: bytes, folder: Path) -> object:
    """A file of MindIE's own, judged for the newest version and for an old one."""
    path = folder / "config.json"
    path.write_bytes(data)
    told = []
    for chosen in (None, EngineChoice(name="mindie", version="1.0.0")):
        kind, judged = check_file(path, chosen)
        told.append([kind, [one.as_json() for one in judged]])
    return told


def _rendered_seeds() -> list[bytes]:
    made = [path.read_bytes() for path in sorted(_GOLDEN.rglob("*.json")) if path.stat().st_size < 20_000]
    return [*made[:12], *files("field/files/*.json")]


READERS = (
    Reader("dataset", _dataset_seeds, _dataset, (b'{"prompt":', b'"messages":[', b'"max_tokens":', b"\n")),
    Reader("compare", _results_seeds, _results, (b'"metrics":', b'"document":"bench"', b'"p50":', b"\n")),
    Reader("rendered", _rendered_seeds, _rendered, (b'"ServerConfig":', b'"server_list":', b'"rank_id":"0"')),
)
