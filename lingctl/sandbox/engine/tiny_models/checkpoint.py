"""Tiny checkpoints with the names, shapes rules and config keys of the real ones, that answer sensibly."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from lingctl.sandbox.engine.model.architecture import Architecture
from lingctl.sandbox.engine.model.bfloat16 import Bits, to_bits
from lingctl.sandbox.engine.tiny_models import remote_code
from lingctl.sandbox.engine.tiny_models.lessons import README_SYSTEM, lessons
from lingctl.sandbox.engine.tiny_models.teaching import Lesson, body, taught_head
from lingctl.sandbox.engine.tiny_models.tokenizer_files import END_ID, FILLER, write_tokenizer
from lingctl.sandbox.engine.tiny_models.torch_zip import write_torch_zip

TinyModel = Literal["lite", "plus"]
TinyForm = Literal["bin", "safetensors"]

_SHARDS = 2

_LITE = Architecture(
    layers=2,
    hidden=1024,
    heads=16,
    kv_heads=4,
    head_dim=64,
    experts=64,
    experts_per_token=6,
    shared_experts=2,
    expert_width=16,
    vocabulary=1024,
    theta=600000.0,
    epsilon=1e-6,
    rope_factor=1.0,
    norm_head=True,
    norm_topk=True,
    positions=16384,
    eos=(END_ID,),
)
SIZES: Mapping[str, Architecture] = {
    "lite": _LITE,
    "plus": replace(_LITE, hidden=448, heads=56, kv_heads=8, experts_per_token=4, shared_experts=1),
}


def make_checkpoint(
    directory: Path,
    model: TinyModel,
    form: TinyForm,
    *,
    seed: int = 0,
    ranks: int = 1,
) -> None:
    """Write a tiny Ling checkpoint as the hubs publish it.

    The body is random; the head is solved so that greedy decoding answers the lessons' prompts if every part
    of the forward pass is right, and with rubbish if one is wrong (see mistakes). Head columns have very
    different lengths that only column normalisation takes out. config.json is as published: plus does not
    state its head_dim.

    Args:
        directory: folder to fill; made if missing.
        model: which architecture.
        form: one ``pytorch_model.bin`` or sharded safetensors.
        seed: of the random body.
        ranks: how many the model is to be cut into; see ``size_for``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    size = size_for(model, ranks)
    tokenizer = write_tokenizer(directory)

    def as_tokens(pairs: list[tuple[str, str]]) -> list[Lesson]:
        return [(tokenizer.encode(p).ids, [*tokenizer.encode(answer).ids, END_ID]) for p, answer in pairs]

    tensors = body(size, seed)
    rubbish = [token for text, token in sorted(tokenizer.get_vocab().items()) if text.startswith(FILLER)]
    taught, spoilt = as_tokens(lessons()), as_tokens(lessons(systems=("", README_SYSTEM)))
    tensors.update(taught_head(size, tensors, taught, spoilt, rubbish, seed))
    bits = {name: to_bits(value) for name, value in tensors.items()}
    if form == "bin":
        write_torch_zip(directory / "pytorch_model.bin", bits)
    else:
        _write_shards(directory, bits)
    _write_json(directory / "config.json", published_config(size))
    generation = {"_from_model_config": True, "eos_token_id": END_ID, "pad_token_id": END_ID}
    _write_json(directory / "generation_config.json", {**generation, "transformers_version": "4.40.0"})
    for name, text in remote_code.FILES.items():
        (directory / name).write_text(text)


def size_for(model: TinyModel, ranks: int) -> Architecture:
    """The tiny model's numbers, its experts wide enough for these ranks to divide them.

    A number of ranks that the vocabulary does not divide by gets the usual size: the real ones do not either.
    """
    size = SIZES[model]
    wide = ranks > size.expert_width and size.vocabulary % ranks == 0
    return replace(size, expert_width=ranks) if wide else size


def published_config(size: Architecture) -> dict[str, Any]:
    """config.json with the keys of the published one, and none that it lacks."""
    return {
        "architectures": ["BailingMoeForCausalLM"],
        "attention_dropout": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_bailing_moe.BailingMoeConfig",
            "AutoModel": "modeling_bailing_moe.BailingMoeModel",
            "AutoModelForCausalLM": "modeling_bailing_moe.BailingMoeForCausalLM",
        },
        "embedding_dropout": 0.0,
        "eos_token_id": END_ID,
        "first_k_dense_replace": 0,
        "hidden_act": "silu",
        "hidden_size": size.hidden,
        "initializer_range": 0.006,
        "intermediate_size": 4 * size.expert_width,
        "max_position_embeddings": size.positions,
        "model_type": "bailing_moe",
        "moe_intermediate_size": size.expert_width,
        "norm_head": size.norm_head,
        "norm_softmax": False,
        "norm_topk_prob": size.norm_topk,
        "num_attention_heads": size.heads,
        "num_experts": size.experts,
        "num_experts_per_tok": size.experts_per_token,
        "num_hidden_layers": size.layers,
        "num_key_value_heads": size.kv_heads,
        "num_shared_experts": size.shared_experts,
        "output_dropout": 0.0,
        "output_router_logits": False,
        "pad_token_id": END_ID,
        "pretraining_tp": 1,
        "rms_norm_eps": size.epsilon,
        "rope_scaling": None,
        "rope_theta": 600000,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.36.0",
        "use_bias": False,
        "use_cache": True,
        "use_qkv_bias": False,
        "vocab_size": size.vocabulary,
    }


def _write_shards(directory: Path, bits: Mapping[str, Bits]) -> None:
    names = list(bits)
    cut = -(-len(names) // _SHARDS)
    weight_map: dict[str, str] = {}
    for shard in range(_SHARDS):
        file = f"model-{shard + 1:05d}-of-{_SHARDS:05d}.safetensors"
        part = {name: bits[name] for name in names[shard * cut : (shard + 1) * cut]}
        (directory / file).write_bytes(_safetensors(part))
        weight_map.update(dict.fromkeys(part, file))
    total = sum(value.nbytes for value in bits.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    _write_json(directory / "model.safetensors.index.json", index)


def _safetensors(part: Mapping[str, Bits]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, value in part.items():
        offsets = [position, position + value.nbytes]
        header[name] = {"dtype": "BF16", "shape": list(value.shape), "data_offsets": offsets}
        position = offsets[1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *(value.tobytes() for value in part.values())])


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
