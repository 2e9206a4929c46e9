"""Convert a structurally faithful Ling-lite checkpoint in several ways, interleaved, fsync included.

    python benchmarks/convert.py --gigabytes 2 --rounds 5
    python benchmarks/convert.py --gigabytes 26 --rounds 1 --only cp,lingctl --cold

Every way runs in a process of its own, on the same file, in the same state of the page cache. What counts is
the ratio to ``cp`` within a round: seconds depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from lingctl.program import pack as node_program

HIDDEN, WIDTH, HEADS, KV_HEADS, EXPERTS, VOCABULARY = 2048, 1408, 16, 4, 64, 126464

# Loads everything, cuts by eight layers, saves each part: the algorithm of the converter that Ling ships.
UPSTREAM = """
import json, os, sys, torch
from safetensors.torch import save_file
source, target = sys.argv[1:]
os.makedirs(target)
weights = torch.load(os.path.join(source, "pytorch_model.bin"), map_location="cpu")
layer = lambda name: int(name.split(".")[2]) if name.startswith("model.layers.") else None
last = max(filter(None, map(layer, weights)), default=0) // 8
parts = {}
for name, tensor in weights.items():
    place = last if layer(name) is None else layer(name) // 8
    parts.setdefault(place, {})[name] = tensor.contiguous()
where = {}
for place, held in sorted(parts.items()):
    file = f"model-{place + 1:05d}-of-{last + 1:05d}.safetensors"
    save_file(held, os.path.join(target, file), metadata={"format": "pt"})
    where.update(dict.fromkeys(held, file))
with open(os.path.join(target, "model.safetensors.index.json"), "w") as index:
    json.dump({"metadata": {}, "weight_map": where}, index)
"""

# Loads, makes contiguous, saves one file, loads it again and compares: what Hugging Face's converter does.
HUGGING_FACE = """
import os, sys, torch
from safetensors.torch import load_file, save_file
source, target = sys.argv[1:]
os.makedirs(target)
loaded = torch.load(os.path.join(source, "pytorch_model.bin"), map_location="cpu", weights_only=True)
loaded = {name: tensor.contiguous() for name, tensor in loaded.items()}
path = os.path.join(target, "model.safetensors")
save_file(loaded, path, metadata={"format": "pt"})
again = load_file(path)
for name in loaded:
    if not torch.equal(loaded[name], again[name]):
        raise RuntimeError(f"{name} differs")
"""

SYNC = 'find "$1" -type f -exec sync {} +'


class Run(NamedTuple):
    """One measured process: seconds on the clock, seconds of all cores, megabytes at its peak."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-convert-", dir=arguments.dir) as name:
        folder = Path(name)
        program = folder / "node.pyz"
        program.write_bytes(node_program.build())
        source = folder / "Ling_lite"
        # In a process of its own: the peak of a child counts what its parent had when it was started.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as maker:
            size = maker.submit(make_checkpoint, source, int(arguments.gigabytes * 1e9)).result()
        say(f"{size / 1e9:.2f} GB, {arguments.rounds} rounds, {_cache(arguments.cold)}, fsync included")
        ways = commands(source, folder / "out", program)
        chosen = arguments.only.split(",") if arguments.only else list(ways)
        runs: dict[str, list[Run]] = {way: [] for way in chosen}
        for number in range(arguments.rounds):
            # Every way takes every place in the order.
            for way in chosen[number % len(chosen) :] + chosen[: number % len(chosen)]:
                runs[way].append(measure(ways[way], source, folder / "out", arguments.cold))
                say(f"round {number + 1}, {way}: {runs[way][-1].wall:.2f} s")
        print(table(runs, size))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the checkpoint")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="ways to run, separated by commas; cp must be among them")
    parser.add_argument(
        "--cold", action="store_true", help="drop the input from the page cache before each run"
    )
    parser.add_argument("--dir", help="where to work; three times the size must be free")
    return parser.parse_args()


def _cache(cold: bool) -> str:
    return "input not in the page cache" if cold else "input in the page cache as far as it fits"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def commands(source: Path, target: Path, program: Path) -> dict[str, list[str]]:
    """What each way runs. Those that do not sync their output themselves are followed by a sync of it."""
    python = sys.executable
    convert = [python, "-I", "-S", str(program), "convert", str(source), str(target)]
    copy = f'mkdir "$1" && cp "{source}/pytorch_model.bin" "$1" && {SYNC}'

    def synced(text: str) -> list[str]:
        return ["sh", "-c", f'"$2" -c "$3" "$4" "$1" && {SYNC}', "sh", str(target), python, text, str(source)]

    return {
        "cp": ["sh", "-c", copy, "sh", str(target)],
        "lingctl": convert,
        "lingctl --no-verify": [*convert, "--no-verify"],
        "upstream's algorithm": synced(UPSTREAM),
        "Hugging Face's way": synced(HUGGING_FACE),
    }


def measure(command: list[str], source: Path, target: Path, cold: bool) -> Run:
    """Run ``command`` with the caches in the same state each time, and remove what it wrote."""
    os.sync()
    path = source / "pytorch_model.bin"
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if cold:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        else:
            while os.read(descriptor, 1 << 24):
                pass
    finally:
        os.close(descriptor)
    environment = {**os.environ, "OMP_NUM_THREADS": str(os.cpu_count())}
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with status {process.returncode}")
    shutil.rmtree(target)
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def table(runs: dict[str, list[Run]], size: int) -> str:
    """Medians, as Markdown."""
    lines = [
        "| way | wall / cp | (range) | seconds | MB/s | CPU seconds | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, made in runs.items():
        ratios = [run.wall / copy.wall for run, copy in zip(made, runs["cp"], strict=True)]
        ratio = statistics.median(ratios)
        wall = statistics.median(run.wall for run in made)
        lines.append(
            f"| {way} | {ratio:.2f} | {min(ratios):.2f} to {max(ratios):.2f} | {wall:.2f} "
            f"| {size / wall / 1e6:.0f} | {statistics.median(run.cpu for run in made):.1f} "
            f"| {statistics.median(run.peak for run in made):.0f} |"
        )
    return "\n".join(lines)


# A checkpoint of true names and shapes


def shapes(layer: int) -> dict[str, tuple[int, ...]]:
    """The 200 tensors of one layer of Ling-lite."""
    start = f"model.layers.{layer}."
    found: dict[str, tuple[int, ...]] = {
        f"{start}input_layernorm.weight": (HIDDEN,),
        f"{start}attention.query_key_value.weight": ((HEADS + 2 * KV_HEADS) * 128, HIDDEN),
        f"{start}attention.dense.weight": (HIDDEN, HEADS * 128),
        f"{start}post_attention_layernorm.weight": (HIDDEN,),
        f"{start}mlp.gate.weight": (EXPERTS, HIDDEN),
    }
    widths = {f"experts.{expert}": WIDTH for expert in range(EXPERTS)} | {"shared_experts": 2 * WIDTH}
    for name, width in widths.items():
        found[f"{start}mlp.{name}.gate_proj.weight"] = (width, HIDDEN)
        found[f"{start}mlp.{name}.up_proj.weight"] = (width, HIDDEN)
        found[f"{start}mlp.{name}.down_proj.weight"] = (HIDDEN, width)
    return found


def make_checkpoint(folder: Path, size: int) -> int:
    """Write layers until ``size`` bytes are reached, in the format of torch.save; gives the file's size.

    Contents are random, and repeat after 64 MB: no way of converting looks at them.
    """
    folder.mkdir()
    tensors: dict[str, tuple[int, ...]] = {"model.word_embeddings.weight": (VOCABULARY, HIDDEN)}
    layer = 0
    while layer == 0 or 2 * sum(map(_count, tensors.values())) < size - 2 * VOCABULARY * HIDDEN:
        tensors.update(shapes(layer))
        layer += 1
    tensors.update({"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)})
    noise = bytearray(os.urandom(64 << 20))
    # No infinities and NaNs, which never equal themselves: one bit of the exponent is clear.
    noise[1::2] = noise[1::2].translate(bytes(value & 0xBF for value in range(256)))
    path = folder / "pytorch_model.bin"
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        _member(archive, "data.pkl", [_pickle(tensors)])
        _member(archive, "byteorder", [b"little"])
        for key, shape in enumerate(tensors.values()):
            _member(archive, f"data/{key}", _noise(noise, key, 2 * _count(shape)))
        _member(archive, "version", [b"3\n"])
        archive.close()
        file.flush()
        os.fsync(file.fileno())
    return path.stat().st_size


def _count(shape: tuple[int, ...]) -> int:
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def _noise(noise: bytearray, key: int, size: int) -> list[bytearray]:
    """``size`` bytes that differ from tensor to tensor."""
    start = key * 4096 % (len(noise) // 2)
    parts = []
    while size:
        part = noise[start : start + size]
        parts.append(part)
        size -= len(part)
        start = 0
    return parts


def _member(archive: zipfile.ZipFile, name: str, parts: Sequence[bytes | bytearray]) -> None:
    entry = zipfile.ZipInfo(f"pytorch_model/{name}", date_time=(1980, 1, 1, 0, 0, 0))
    assert archive.fp is not None
    padding = -(archive.fp.tell() + 30 + len(entry.filename) + 4) % 64
    entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    entry.file_size = sum(map(len, parts))
    with archive.open(entry, "w") as member:
        for part in parts:
            member.write(part)


def _pickle(tensors: dict[str, tuple[int, ...]]) -> bytes:
    """Protocol 2 of ``{name: tensor}`` over bfloat16 storages."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    out = [b"\x80\x02}("]
    for key, (name, shape) in enumerate(tensors.items()):
        out += [
            text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            text("storage"),
            b"ctorch\nBFloat16Storage\n",
        ]
        out += [
            text(str(key)),
            text("cpu"),
            number(_count(shape)),
            b"tQ",
            number(0),
            b"(",
            *map(number, shape),
            b"t(",
        ]
        out += [
            *map(number, (shape[1], 1) if len(shape) == 2 else (1,)),
            b"t\x89ccollections\nOrderedDict\n)RtR",
        ]
    return b"".join([*out, b"u."])


if __name__ == "__main__":
    main()
