"""BailingMoE in plain torch, float32: no cache, no shards, one sequence at a time. The overlay must match it.

Written from the published description of the architecture, not from the overlay or an engine. Weights are
the checkpoint's bf16 values; rope tables and the normalised head are rounded to bf16, because that is the
form in which they reach the device. All arithmetic is float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


class Reference:
    """A model held as its checkpoint's tensors.

    Args:
        config: config.json's values, ``head_dim`` included.
        tensors: every tensor of the checkpoint, bf16.
        stored: what rope tables and the normalised head are rounded to.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        tensors: Mapping[str, Tensor],
        stored: torch.dtype = torch.bfloat16,
    ) -> None:
        self.config = config
        self.stored = stored
        self.weights = {name: tensor.float() for name, tensor in tensors.items()}
        self.head = self._head()

    def logits(self, tokens: Sequence[int]) -> Tensor:
        """Logits after every token: [tokens, vocabulary]."""
        ids = torch.tensor(tokens)
        x = self.weights["model.word_embeddings.weight"][ids]
        for layer in range(self.config["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            x = x + self._attention(prefix + "attention.", self._norm(x, prefix + "input_layernorm.weight"))
            x = x + self._feed_forward(layer, self._norm(x, prefix + "post_attention_layernorm.weight"))
        return self._norm(x, "model.norm.weight") @ self.head.T

    def _head(self) -> Tensor:
        head = self.weights["lm_head.weight"]
        if not self.config["norm_head"]:
            return head
        lengths = torch.linalg.vector_norm(head, dim=0, keepdim=True)
        return (head / (lengths + 1e-7)).to(self.stored).float()

    def _norm(self, x: Tensor, name: str) -> Tensor:
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"])
        return x * scale * self.weights[name]

    def _attention(self, prefix: str, x: Tensor) -> Tensor:
        heads, kv, width = (
            self.config[key] for key in ("num_attention_heads", "num_key_value_heads", "head_dim")
        )
        packed = x @ self.weights[prefix + "query_key_value.weight"].T
        query, key, value = packed.split([heads * width, kv * width, kv * width], dim=-1)
        query = self._rotate(query.view(-1, heads, width))
        key = self._rotate(key.view(-1, kv, width))
        key = key.repeat_interleave(heads // kv, dim=1)
        value = value.view(-1, kv, width).repeat_interleave(heads // kv, dim=1)
        scores = torch.einsum("qhd,khd->hqk", query, key) / width**0.5
        future = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
        weights = scores.masked_fill(future, float("-inf")).softmax(-1)
        mixed = torch.einsum("hqk,khd->qhd", weights, value).flatten(1)
        return mixed @ self.weights[prefix + "dense.weight"].T

    def _rotate(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        exponents = torch.arange(half, dtype=torch.float64) / half
        frequencies = (self.config["rope_theta"] ** -exponents).float()
        angles = torch.outer(torch.arange(len(x), dtype=torch.float32), frequencies)
        cos, sin = (table.to(self.stored).float()[:, None] for table in (angles.cos(), angles.sin()))
        left, right = x[..., :half], x[..., half:]
        return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)

    def _feed_forward(self, layer: int, x: Tensor) -> Tensor:
        prefix = f"model.layers.{layer}.mlp."
        if layer < self.config["first_k_dense_replace"]:
            return self._gated(prefix, x)
        out = torch.zeros_like(x)
        chances = (x @ self.weights[prefix + "gate.weight"].T).softmax(-1)
        chosen, experts = chances.topk(self.config["num_experts_per_tok"], dim=-1)
        if self.config["norm_topk_prob"] and self.config["num_experts_per_tok"] > 1:
            chosen = chosen / chosen.sum(-1, keepdim=True)
        for token in range(len(x)):
            for chance, expert in zip(chosen[token], experts[token], strict=True):
                out[token] += chance * self._gated(f"{prefix}experts.{int(expert)}.", x[token])
        return out + self._gated(prefix + "shared_experts.", x)

    def _gated(self, prefix: str, x: Tensor) -> Tensor:
        gate, up, down = (self.weights[f"{prefix}{name}_proj.weight"] for name in ("gate", "up", "down"))
        return (torch.nn.functional.silu(x @ gate.T) * (x @ up.T)) @ down.T
