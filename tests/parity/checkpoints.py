"""Tiny random checkpoints under the published tensor names, with the head counts of the real models."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

TENSOR_PARALLEL = (1, 2, 4, 8, 16)
NORMED_HEAD_TOLERANCE = 2e-3
TOLERANCE = 5e-6

_COMMON = {
    "architectures": ["BailingMoeForCausalLM"],
    "model_type": "bailing_moe",
    "torch_dtype": "bfloat16",
    "hidden_act": "silu",
    "hidden_size": 128,
    "intermediate_size": 64,
    "moe_intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "num_experts": 8,
    "num_shared_experts": 2,
    "num_experts_per_tok": 3,
    "first_k_dense_replace": 0,
    "norm_topk_prob": True,
    "norm_head": True,
    "vocab_size": 1024,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 600000,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "use_bias": False,
    "use_qkv_bias": False,
    "eos_token_id": 1023,
    "pad_token_id": 1023,
}
_PLUS = {
    "hidden_size": 112,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "num_shared_experts": 1,
    "num_experts_per_tok": 4,
}


@dataclass(frozen=True)
class Case:
    """A model to compare.

    Attributes:
        changes: config values that differ from Ling-lite's in small.
        unstated: keys that the served config.json leaves out.
    """

    name: str
    changes: dict[str, object] = field(default_factory=dict)
    unstated: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, object]:
        """Every value, as the reference needs them."""
        return {**_COMMON, **self.changes}

    @property
    def served(self) -> dict[str, object]:
        """What stands in config.json."""
        return {key: value for key, value in self.config.items() if key not in self.unstated}

    @property
    def tolerance(self) -> float:
        """Largest allowed difference of a logit."""
        return NORMED_HEAD_TOLERANCE if self.config["norm_head"] else TOLERANCE


CASES = (
    Case("lite", {"hidden_size": 256}, ("head_dim",)),
    Case("lite-1.5", {"norm_head": False}),
    Case("lite-wide-heads", {"head_dim": 32}),
    Case("no-topk-renorm", {"norm_head": False, "norm_topk_prob": False}),
    Case("one-expert", {"norm_head": False, "norm_topk_prob": False, "num_experts_per_tok": 1}),
    Case("dense-first", {"norm_head": False, "first_k_dense_replace": 1}),
    Case("plus", _PLUS),
    Case("plus-head-dim-unstated", {**_PLUS, "norm_head": False}, ("head_dim",)),
    Case("old-plus", {**_PLUS, "hidden_size": 84, "num_attention_heads": 42, "num_key_value_heads": 6}),
    Case(
        "old-plus-plain-head",
        {
            **_PLUS,
            "hidden_size": 84,
            "num_attention_heads": 42,
            "num_key_value_heads": 6,
            "norm_head": False,
        },
    ),
)


def case(name: str) -> Case:
    """The case of that name."""
    return next(case for case in CASES if case.name == name)


def make_tensors(config: dict[str, object], seed: int = 0) -> dict[str, Tensor]:
    """Random bf16 tensors of a Ling checkpoint; the head's columns differ in length by a factor of three."""
    generator = torch.Generator().manual_seed(seed)
    hidden, heads, kv, width, inner = (
        config[key]
        for key in (
            "hidden_size",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "moe_intermediate_size",
        )
    )

    def matrix(rows: int, columns: int) -> Tensor:
        return (torch.randn(rows, columns, generator=generator) / columns**0.5).bfloat16()

    def gain() -> Tensor:
        return (torch.rand(hidden, generator=generator) + 0.5).bfloat16()

    tensors = {
        "model.word_embeddings.weight": matrix(config["vocab_size"], hidden) * 8,
        "model.norm.weight": gain(),
        "lm_head.weight": matrix(config["vocab_size"], hidden) * gain() * 0.5,
    }

    def gated(prefix: str, size: int) -> None:
        for name, shape in (("gate", (size, hidden)), ("up", (size, hidden)), ("down", (hidden, size))):
            tensors[f"{prefix}.{name}_proj.weight"] = matrix(*shape)

    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        tensors[prefix + "input_layernorm.weight"] = gain()
        tensors[prefix + "post_attention_layernorm.weight"] = gain()
        tensors[prefix + "attention.query_key_value.weight"] = matrix((heads + 2 * kv) * width, hidden) * 1.5
        tensors[prefix + "attention.dense.weight"] = matrix(hidden, heads * width)
        if layer < config["first_k_dense_replace"]:
            gated(prefix + "mlp", config["intermediate_size"])
            continue
        tensors[prefix + "mlp.gate.weight"] = matrix(config["num_experts"], hidden) * 2
        for expert in range(config["num_experts"]):
            gated(f"{prefix}mlp.experts.{expert}", inner)
        gated(prefix + "mlp.shared_experts", inner * config["num_shared_experts"])
    return tensors


def write_checkpoint(folder: Path, config: dict[str, object], tensors: dict[str, Tensor]) -> Path:
    """Write config.json and the weights with the modes that MindIE demands."""
    folder.mkdir(mode=0o750, parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    for path in folder.iterdir():
        path.chmod(0o640)
    return folder
