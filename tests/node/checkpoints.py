"""Checkpoints made with real torch, and what conversion of them must give."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lingctl.node.convert.engine import convert
from lingctl.node.convert.job import Options
from lingctl.sandbox.engine.model.architecture import Architecture
from lingctl.sandbox.engine.tiny_models.checkpoint import SIZES, published_config

INDEX = "model.safetensors.index.json"


def save(folder: Path, content: Any, **options: Any) -> Path:
    """``content`` as ``pytorch_model.bin`` in ``folder``, with a config.json beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / "pytorch_model.bin", **options)
    (folder / "config.json").write_text('{"architectures": ["SomeModel"]}\n')
    return folder


def run(source: Path, target: Path, report: Callable[..., None] | None = None, **options: Any) -> dict:
    """Convert in this process."""
    return convert(str(source), str(target), Options(**options), report or (lambda event: None))


def stopped_midway(
    command: list[str], begun: Callable[[], bool], number: int, undo: Callable[[], object]
) -> str:
    """Send a signal to ``command`` once it has begun, and give its output with its exit status in front.

    On a busy machine it may end before the signal comes: then it is undone and run again.
    """
    for _ in range(20):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not begun() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(number)
        output, said = process.communicate(timeout=300)
        assert "Traceback" not in said
        if process.returncode:
            return f"{process.returncode} {output}"
        undo()
    raise AssertionError("it always ended before it could be stopped")


def load(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, through the safetensors library and the index."""
    weight_map = json.loads((folder / INDEX).read_text())["weight_map"]
    found: dict[str, torch.Tensor] = {}
    for file in sorted(set(weight_map.values())):
        with safe_open(folder / file, framework="pt") as opened:
            assert set(opened.keys()) == {name for name, where in weight_map.items() if where == file}
            for name in opened.keys():  # noqa: SIM118  # safe_open is no mapping
                found[name] = opened.get_tensor(name)
    return found


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    """Names, element types, shapes and every bit."""
    assert sorted(found) == sorted(wanted)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert bits(found[name]) == bits(tensor), name


def bits(tensor: torch.Tensor) -> bytes:
    """The elements one after the other, as bytes: NaNs with payload and negative zeros count."""
    flat = tensor.detach().contiguous().reshape(-1)
    if not flat.numel():
        return b""
    return flat.view(torch.uint8).numpy().tobytes()


def ling(folder: Path, size: str, form: str) -> Path:
    """A tiny Ling model, ``lite`` or ``plus``, as the hubs publish it: ``bin`` or ``safetensors``."""
    folder.mkdir(parents=True)
    numbers = SIZES[size]
    (folder / "config.json").write_text(json.dumps(published_config(numbers), indent=2))
    for name in ("tokenizer.json", "tokenizer_config.json", "configuration_bailing_moe.py", "README.md"):
        (folder / name).write_text(f"stand-in for {name}\n")
    tensors = ling_tensors(numbers)
    if form == "bin":
        torch.save(tensors, folder / "pytorch_model.bin")
        return folder
    where: dict[str, str] = {}
    names, half = list(tensors), -(-len(tensors) // 2)
    for part in range(2):
        file = f"model-{part + 1:05d}-of-00002.safetensors"
        held = {name: tensors[name] for name in names[part * half : (part + 1) * half]}
        save_file(held, folder / file, metadata={"format": "pt"})
        where.update(dict.fromkeys(held, file))
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def ling_tensors(size: Architecture) -> dict[str, torch.Tensor]:
    """Random tensors with all names of the architecture."""
    made = torch.Generator().manual_seed(7)
    hidden, wide = size.hidden, size.head_dim
    shapes: dict[str, tuple[int, ...]] = {
        "model.word_embeddings.weight": (size.vocabulary, hidden),
        "model.norm.weight": (hidden,),
        "lm_head.weight": (size.vocabulary, hidden),
    }
    for layer in range(size.layers):
        start = f"model.layers.{layer}."
        shapes[f"{start}input_layernorm.weight"] = (hidden,)
        shapes[f"{start}post_attention_layernorm.weight"] = (hidden,)
        rows = (size.heads + 2 * size.kv_heads) * wide
        shapes[f"{start}attention.query_key_value.weight"] = (rows, hidden)
        shapes[f"{start}attention.dense.weight"] = (hidden, size.heads * wide)
        shapes[f"{start}mlp.gate.weight"] = (size.experts, hidden)
        widths = {f"experts.{expert}": size.expert_width for expert in range(size.experts)}
        widths["shared_experts"] = size.expert_width * size.shared_experts
        for name, width in widths.items():
            shapes[f"{start}mlp.{name}.gate_proj.weight"] = (width, hidden)
            shapes[f"{start}mlp.{name}.up_proj.weight"] = (width, hidden)
            shapes[f"{start}mlp.{name}.down_proj.weight"] = (hidden, width)
    return {name: torch.randn(*shape, generator=made).to(torch.bfloat16) for name, shape in shapes.items()}


def model(layers: int = 4, hidden: int = 32, experts: int = 2, dtype: torch.dtype = torch.bfloat16) -> dict:
    """A small state dict with the names of a Ling model."""
    made = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=made).to(dtype)

    tensors = {"model.word_embeddings.weight": random(64, hidden)}
    for layer in range(layers):
        start = f"model.layers.{layer}."
        tensors[f"{start}input_layernorm.weight"] = random(hidden)
        tensors[f"{start}attention.query_key_value.weight"] = random(3 * hidden, hidden)
        tensors[f"{start}attention.dense.weight"] = random(hidden, hidden)
        tensors[f"{start}post_attention_layernorm.weight"] = random(hidden)
        tensors[f"{start}mlp.gate.weight"] = random(experts, hidden)
        for expert in range(experts):
            for part in ("gate", "up", "down"):
                tensors[f"{start}mlp.experts.{expert}.{part}_proj.weight"] = random(hidden, hidden)
    tensors["model.norm.weight"] = random(hidden)
    tensors["lm_head.weight"] = random(64, hidden)
    return tensors
