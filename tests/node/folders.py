"""Folders of weights as people have them, of a tiny Ling model, without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

from lingctl.node.checkpoint.safetensors import Entry, encode_header

CONFIG: dict[str, object] = {
    "architectures": ["BailingMoeForCausalLM"],
    "model_type": "bailing_moe",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "num_experts": 2,
    "num_experts_per_tok": 2,
    "num_shared_experts": 1,
    "moe_intermediate_size": 4,
    "vocab_size": 16,
    "norm_topk_prob": True,
    "torch_dtype": "bfloat16",
}
INDEX = "model.safetensors.index.json"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 33603948544\n"
APPLE_DOUBLE = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(64)
PAGE = b"\n<!DOCTYPE html>\n<html><body>Sign in to the network</body></html>\n"
LORA = {f"base_model.model.model.layers.0.attention.dense.lora_{part}.weight": (4, 8) for part in "AB"}

Shapes = dict[str, tuple[int, ...]]


def shapes(layers: int = 2, experts: int = 2) -> Shapes:
    """Names and shapes of all tensors."""
    found: Shapes = {
        "model.word_embeddings.weight": (16, 8),
        "model.norm.weight": (8,),
        "lm_head.weight": (16, 8),
    }
    for layer in range(layers):
        start = f"model.layers.{layer}."
        found[f"{start}input_layernorm.weight"] = found[f"{start}post_attention_layernorm.weight"] = (8,)
        found[f"{start}attention.query_key_value.weight"] = (16, 8)
        found[f"{start}attention.dense.weight"] = (8, 8)
        found[f"{start}mlp.gate.weight"] = (experts, 8)
        for part in (*(f"experts.{number}" for number in range(experts)), "shared_experts"):
            found[f"{start}mlp.{part}.gate_proj.weight"] = found[f"{start}mlp.{part}.up_proj.weight"] = (4, 8)
            found[f"{start}mlp.{part}.down_proj.weight"] = (8, 4)
    return found


def config(folder: Path, **changes: object) -> Path:
    """A config.json; a change to ``None`` takes the key out."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def write(path: Path, tensors: Shapes) -> None:
    """A file of safetensors, all zeros."""
    entries: list[Entry] = []
    at = 0
    for name, shape in tensors.items():
        size = 2 * math.prod(shape)
        entries.append(Entry(name, "BF16", shape, at, at + size))
        at += size
    path.write_bytes(encode_header(entries) + bytes(at))


def write_shards(folder: Path, tensors: Shapes, *, forget: Iterable[str] = ()) -> list[Path]:
    """Two files and their index, which does not list ``forget``."""
    where: dict[str, str] = {}
    paths: list[Path] = []
    for number in range(2):
        name = f"model-{number + 1:05d}-of-00002.safetensors"
        held = dict(list(tensors.items())[number::2])
        write(folder / name, held)
        where.update(dict.fromkeys(held, name))
        paths.append(folder / name)
    index = {"weight_map": {name: file for name, file in where.items() if name not in set(forget)}}
    (folder / INDEX).write_text(json.dumps(index))
    return paths
