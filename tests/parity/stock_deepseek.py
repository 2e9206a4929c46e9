"""A tiny checkpoint of the first DeepSeek-MoE, to see that stock is left as it was."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.parity.checkpoints import make_tensors
from tests.parity.reference import Reference

_DEEPSEEK = {
    "model_type": "deepseek",
    "hidden_size": 256,
    "intermediate_size": 64,
    "moe_intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_experts_per_tok": 3,
    "first_k_dense_replace": 1,
    "norm_topk_prob": False,
    "vocab_size": 1024,
    "max_position_embeddings": 256,
    "rope_theta": 10000.0,
}
# Ling's names for the same numbers, so that the reference can read them.
_AS_LING = {
    **_DEEPSEEK,
    "num_experts": 8,
    "num_shared_experts": 2,
    "head_dim": 16,
    "norm_head": False,
    "rms_norm_eps": 1e-6,
}


def write_deepseek(parent: Path) -> tuple[Path, Reference]:
    """The checkpoint under DeepSeek's names, and the reference of it."""
    tensors = make_tensors(_AS_LING)
    own = {}
    for name, tensor in tensors.items():
        name = name.replace("word_embeddings", "embed_tokens").replace("attention.dense", "self_attn.o_proj")
        if "query_key_value" in name:
            for part, rows in zip("qkv", tensor.split([256, 64, 64]), strict=True):
                own[name.replace("attention.query_key_value", f"self_attn.{part}_proj")] = rows.contiguous()
        else:
            own[name] = tensor
    folder = parent / "deepseek"
    folder.mkdir(mode=0o750)
    (folder / "config.json").write_text(json.dumps(_DEEPSEEK))
    save_file(own, folder / "model.safetensors")
    for path in folder.iterdir():
        path.chmod(0o640)
    return folder, Reference(_AS_LING, tensors)


@contextmanager
def in_bfloat16() -> Iterator[None]:
    """Stock DeepSeek loads in float16; the emulated graph is for bf16, so the dtype alone is changed here."""
    config = importlib.import_module("atb_llm.models.deepseek.config_deepseek")
    original = config.torch
    config.torch = _Bfloat16()
    try:
        yield
    finally:
        config.torch = original


class _Bfloat16:
    float16 = torch.bfloat16
