"""The ATB decoder graph of MoE models in torch, fed with exactly what the engine would get.

Takes the place of the C++ operation ``deepseek_DecoderModel``: parameters as JSON, a flat list of weights,
paged KV caches, a list of inputs. One object is one rank; ranks are threads, and their all-reduce and
all-gather really meet. It is strict: a missing parameter, a weight too many or a shape that does not fit
is an error, because the graph would read past it.

Source: parameters, weight order and inputs as MindIE-LLM v3.0.0's python side hands them over and its C++
side reads them (examples/atb_models). Not run against the C++ graph.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

WEIGHTS_PER_LAYER = 68
_REQUIRED = (
    "isUnpadInputs",
    "isPrefill",
    "isBF16",
    "isFA",
    "normEps",
    "normType",
    "numHiddenLayers",
    "numAttentionHeadsPerRank",
    "hiddenSizePerAttentionHead",
    "numKeyValueHeadsPerRank",
    "lmHeadTransposeType",
    "backend",
    "rank",
    "worldSize",
    "packQuantType",
    "linearTransposeType",
    "mlpLinearTransposeType",
    "moeLinearTransposeType",
    "numOfExperts",
    "numOfSelectedExperts",
    "expertParallelDegree",
    "routingMethod",
    "processLogits",
    "firstKDenseReplace",
    "hasSharedExpert",
    "hasSharedExpertGate",
    "numOfSharedExperts",
)


class World:
    """The meeting point of the ranks of one model."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._barrier = threading.Barrier(size, timeout=60)
        self._parts: list[Tensor] = [torch.empty(0)] * size

    def exchange(self, rank: int, part: Tensor) -> list[Tensor]:
        """Every rank's part, in order of ranks."""
        if self.size == 1:
            return [part]
        self._parts[rank] = part
        self._barrier.wait()
        parts = list(self._parts)
        self._barrier.wait()
        return parts

    def abort(self) -> None:
        """Let no rank wait for one that failed."""
        self._barrier.abort()


@dataclass(frozen=True)
class Linear:
    """A weight and how it is stored: [out, in] when transposed, else [in, out]."""

    weight: Tensor
    transposed: bool

    def __call__(self, x: Tensor) -> Tensor:
        return x @ (self.weight.transpose(-1, -2) if self.transposed else self.weight)


@dataclass(frozen=True)
class Layer:
    """One layer's weights; the experts' are [experts, ...], or absent in a dense layer."""

    input_norm: Tensor
    qkv: Linear
    dense: Linear
    post_norm: Tensor
    gate_up: Linear
    down: Linear
    router: Tensor | None = None
    expert_gate_up: Linear | None = None
    expert_down: Linear | None = None


@dataclass
class DecoderGraph:
    """``torch.classes.ModelTorch.ModelTorch`` of one rank.

    Attributes:
        arithmetic: float32, so that only real differences show; bfloat16 is what a card does.
    """

    arithmetic: ClassVar[torch.dtype] = torch.float32

    name: str
    world: World | None = None
    parameters: dict[str, object] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)

    def set_param(self, text: str) -> None:
        """Take the parameters.

        Raises:
            ValueError: one is missing or cannot be.
        """
        self.parameters = json.loads(text)
        missing = [key for key in _REQUIRED if key not in self.parameters]
        if missing:
            raise ValueError(f"graph parameters are missing: {missing}")
        p = self.parameters
        if p["numKeyValueHeadsPerRank"] < 1 or p["numAttentionHeadsPerRank"] % p["numKeyValueHeadsPerRank"]:
            raise ValueError("query heads per rank must be a multiple of KV heads per rank, both positive")
        if not p["isBF16"] or not p["isUnpadInputs"] or p["isFA"]:
            raise ValueError("the graph is emulated for bf16, unpadded inputs and paged attention only")
        if not p["hasSharedExpert"] or p["hasSharedExpertGate"]:
            raise ValueError("the graph has 68 weights a layer only with ungated shared experts")
        if p["processLogits"] not in ("normalization", "none"):
            raise ValueError(f"processLogits {p['processLogits']}")

    def set_weight(self, weights: Sequence[Tensor]) -> None:
        """Take the weights.

        Raises:
            ValueError: their number is not the graph's.
        """
        layers = int(self.parameters["numHiddenLayers"])
        wanted = 1 + WEIGHTS_PER_LAYER * layers + 2
        if len(weights) != wanted:
            raise ValueError(f"{len(weights)} weights, the graph takes {wanted}")
        values = [weight.to(self.arithmetic) for weight in weights]
        self.embedding, self.norm = values[0], values[-2]
        self.head = Linear(values[-1], bool(self.parameters["lmHeadTransposeType"]))
        self.layers = [self._layer(index, values) for index in range(layers)]

    def _layer(self, index: int, values: list[Tensor]) -> Layer:
        start = 1 + WEIGHTS_PER_LAYER * index
        own = values[start : start + WEIGHTS_PER_LAYER]
        attention, mlp, moe = (
            self.parameters[f"{kind}TransposeType"][index] for kind in ("linear", "mlpLinear", "moeLinear")
        )
        if any(weight.numel() > 1 for weight in own[10:22]):
            raise ValueError("separate k and v projections beside a packed one")
        shared = {
            "input_norm": own[0],
            "qkv": Linear(own[4], bool(attention[0])),
            "dense": Linear(own[22], bool(attention[3])),
            "post_norm": own[28],
            "gate_up": Linear(own[32], bool(mlp[0])),
            "down": Linear(own[38], bool(mlp[2])),
        }
        if index < self.parameters["firstKDenseReplace"]:
            return Layer(**shared)
        return Layer(
            **shared,
            router=own[50],
            expert_gate_up=Linear(own[56], bool(moe[1])),
            expert_down=Linear(own[62], bool(moe[3])),
        )

    def set_kv_cache(self, keys: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        """Take the caches, one of [blocks, block size, KV heads, width] a layer."""
        heads = self.parameters["numKeyValueHeadsPerRank"], self.parameters["hiddenSizePerAttentionHead"]
        for cache in (*keys, *values):
            if tuple(cache.shape[2:]) != heads:
                raise ValueError(f"a KV cache of {tuple(cache.shape)} for {heads}")
        self.keys, self.values = list(keys), list(values)

    def execute(self, inputs: Sequence[Tensor], text: str) -> list[Tensor]:
        """Run one step and give the logits: of the chosen tokens in prefill, of all in decode."""
        ids, positions, cos, sin, _, tables, slots = inputs[:7]
        lengths = json.loads(text)["seqLen"]
        if ids.numel() and int(ids.max()) >= len(self.embedding) - 1:
            raise ValueError("a token id beyond the vocabulary")
        x = self.embedding[ids]
        cos, sin = cos[positions].to(x.dtype), sin[positions].to(x.dtype)
        for index, layer in enumerate(self.layers):
            x = x + self._attention(
                index, layer, self._rms(x, layer.input_norm), cos, sin, tables, slots, lengths
            )
            x = x + self._feed_forward(layer, self._rms(x, layer.post_norm))
        if self.parameters["isPrefill"]:
            x = x[inputs[11]]
        return [torch.cat(self._meet(self.head(self._rms(x, self.norm))), dim=-1).float()]

    def _meet(self, part: Tensor) -> list[Tensor]:
        return self.world.exchange(int(self.parameters["rank"]), part)

    def _reduced(self, part: Tensor) -> Tensor:
        return torch.stack(self._meet(part)).sum(0)

    def _rms(self, x: Tensor, weight: Tensor) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.parameters["normEps"])
        return (wide * scale).to(x.dtype) * weight

    def _attention(
        self,
        index: int,
        layer: Layer,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        tables: Tensor,
        slots: Tensor,
        lengths: list[int],
    ) -> Tensor:
        p = self.parameters
        heads, kv, width = (
            p["numAttentionHeadsPerRank"],
            p["numKeyValueHeadsPerRank"],
            p["hiddenSizePerAttentionHead"],
        )
        query, key, value = layer.qkv(x).split([heads * width, kv * width, kv * width], dim=-1)
        query = _rotate(query.view(-1, heads, width), cos, sin)
        key, value = _rotate(key.view(-1, kv, width), cos, sin), value.view(-1, kv, width)
        for cache, new in ((self.keys[index], key), (self.values[index], value)):
            cache.flatten(0, 1)[slots.long()] = new.to(cache.dtype)
        mixed, start = torch.empty_like(query), 0
        for sequence, length in enumerate(lengths):
            new = length if p["isPrefill"] else 1
            block = self.keys[index].shape[1]
            blocks = tables[sequence][: -(-length // block)].long()
            past_key = self.keys[index][blocks].flatten(0, 1)[:length].to(query.dtype)
            past_value = self.values[index][blocks].flatten(0, 1)[:length].to(query.dtype)
            mixed[start : start + new] = _attend(query[start : start + new], past_key, past_value)
            start += new
        return self._reduced(layer.dense(mixed.flatten(1)))

    def _feed_forward(self, layer: Layer, x: Tensor) -> Tensor:
        out = layer.down(_gated(layer.gate_up(x)))
        if layer.router is None:
            return self._reduced(out)
        chances = (x @ layer.router.T).float().softmax(-1)
        chosen, experts = chances.topk(self.parameters["numOfSelectedExperts"][0], dim=-1)
        if self.parameters["processLogits"] == "normalization":
            chosen = chosen / chosen.sum(-1, keepdim=True)
        for expert in experts.unique().tolist():
            rows, ranks = (experts == expert).nonzero(as_tuple=True)
            up = Linear(layer.expert_gate_up.weight[expert], layer.expert_gate_up.transposed)
            down = Linear(layer.expert_down.weight[expert], layer.expert_down.transposed)
            weighted = chosen[rows, ranks, None] * down(_gated(up(x[rows])))
            out.index_add_(0, rows, weighted.to(x.dtype))
        return self._reduced(out)


def _gated(packed: Tensor) -> Tensor:
    gate, up = packed.chunk(2, dim=-1)
    return torch.nn.functional.silu(gate) * up


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos[:, None] + torch.cat([-right, left], dim=-1) * sin[:, None]


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)
    scores = torch.einsum("qhd,khd->hqk", query, key) * query.shape[-1] ** -0.5
    new, old = len(query), len(key)
    hidden = torch.ones(new, old, dtype=torch.bool).triu(old - new + 1)
    weights = scores.float().masked_fill(hidden, float("-inf")).softmax(-1)
    return torch.einsum("hqk,khd->qhd", weights.to(value.dtype), value)
