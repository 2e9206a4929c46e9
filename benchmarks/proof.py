"""What the answer proof's pass through a model takes, beside reading its files once.

    python benchmarks/proof.py --gigabytes 8 --rounds 3

Makes a checkpoint with the names and shapes of Ling-lite and random contents, as many layers as asked for,
and lets the node program go through it for six texts, as a proof does; then reads the same files by ``cat``.
Each starts with the files out of the page cache. What the model says means nothing here, and no engine is
asked: what counts is the time. Run on a quiet machine; making ready needs twice the size on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import convert

NODE = [sys.executable, "-m", "lingctl.node"]
TEXTS, PROMPT, ANSWER = 6, 18, 48


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=8.0, help="size of the checkpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", help="where to work")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lingctl-bench-", dir=wanted.dir) as scratch:
        model, layers = make_model(Path(scratch), int(wanted.gigabytes * 1e9))
        files = sorted(model.glob("*.safetensors"))
        size = sum(file.stat().st_size for file in files)
        print(f"{size / 1e9:.1f} GB, {layers} layers; load average {os.getloadavg()[0]:.1f}", flush=True)
        walls: dict[str, list[float]] = {"proof": [], "read": []}
        processor: dict[str, list[float]] = {"proof": [], "read": []}
        for number in range(wanted.rounds):
            request = Path(scratch) / f"request-{number}.json"
            request.write_text(json.dumps(request_for(model, number)))
            ways = {"proof": [*NODE, "prove", "run", str(request)], "read": ["cat", *map(str, files)]}
            for name, command in ways.items():
                wall, used = timed(command, files)
                walls[name].append(wall)
                processor[name].append(used)
                print(f"round {number + 1}, {name}: {wall:.1f} s, processor {used:.1f} s", flush=True)
    proof, read = (statistics.median(walls[name]) for name in ("proof", "read"))
    print("| | seconds | GB/s | processor |\n|---|---|---|---|")
    for name, seconds in (("proof", proof), ("read", read)):
        rate, used = size / 1e9 / seconds, statistics.median(processor[name])
        print(f"| {name} | {seconds:.1f} | {rate:.2f} | {used:.1f} s |")
    print(f"proof / read: {proof / read:.2f}, medians of {wanted.rounds}")


def make_model(scratch: Path, size: int) -> tuple[Path, int]:
    """A folder as ``lingctl convert`` leaves it, and how many layers it has."""
    source, model = scratch / "bin", scratch / "model"
    convert.make_checkpoint(source, size)
    layer = 2 * sum(map(convert._count, convert.shapes(0).values()))
    layers = round(((source / "pytorch_model.bin").stat().st_size - head_bytes()) / layer)
    (source / "config.json").write_text(json.dumps(config_of(layers)))
    subprocess.run([*NODE, "convert", str(source), str(model)], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(source)
    (model / "config.json").write_text(json.dumps(config_of(layers)))
    return model, layers


def head_bytes() -> int:
    """Bytes of the embedding and the head."""
    return 2 * 2 * convert.VOCABULARY * convert.HIDDEN


def config_of(layers: int) -> dict[str, object]:
    """The config.json of a Ling-lite of so many layers."""
    return {
        "architectures": ["BailingMoeForCausalLM"],
        "model_type": "bailing_moe",
        "hidden_act": "silu",
        "hidden_size": convert.HIDDEN,
        "intermediate_size": 5632,
        "moe_intermediate_size": convert.WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": convert.HEADS,
        "num_key_value_heads": convert.KV_HEADS,
        "head_dim": 128,
        "num_experts": convert.EXPERTS,
        "num_experts_per_tok": 6,
        "num_shared_experts": 2,
        "first_k_dense_replace": 0,
        "norm_topk_prob": True,
        "norm_head": False,
        "vocab_size": convert.VOCABULARY,
        "rms_norm_eps": 1e-5,
        "rope_theta": 600000,
        "max_position_embeddings": 16384,
        "use_qkv_bias": False,
        "use_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "eos_token_id": 126081,
    }


def request_for(model: Path, seed: int) -> dict[str, object]:
    """As many tokens as a proof asks for, drawn at random."""
    draw = random.Random(seed)
    texts = []
    for _ in range(TEXTS):
        tokens = [draw.randrange(convert.VOCABULARY) for _ in range(PROMPT + ANSWER)]
        asked = [[token] for token in tokens[PROMPT:]]
        texts.append({"tokens": tokens, "prompt": PROMPT, "asked": asked})
    return {"folder": str(model), "texts": texts}


def timed(command: list[str], files: list[Path]) -> tuple[float, float]:
    """Seconds on the clock and of all cores, with the files out of the page cache at first."""
    for file in files:
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])}: exit status {done.returncode}\n{done.stderr[-2000:].decode()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
