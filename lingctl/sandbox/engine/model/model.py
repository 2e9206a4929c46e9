"""BailingMoE in numpy float32, tensor parallel: one process holds the shares of some ranks.

Semantics: pre-norm decoder, fused QKV as q|k|v row blocks, rotate-half RoPE over the whole head, grouped
query attention, softmax router with renormalised top-k, shared experts added without a gate, optional
normalisation of the head's columns over the vocabulary. Source: the published Hugging Face modelling code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lingctl.sandbox.engine.model.architecture import Architecture
from lingctl.sandbox.engine.model.bfloat16 import Floats
from lingctl.sandbox.engine.model.placement import Share

Reduce = Callable[[Floats], Floats]


class Tensors(Protocol):
    """Where weights come from."""

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> Floats:
        """The named tensor as float32, which must have the shape."""


@dataclass
class Cache:
    """Keys and values of one sequence, one array of [tokens, kv slots, head_dim] per layer."""

    keys: list[Floats] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens held."""
        return len(self.keys[0]) if self.keys else 0

    def extend(self, layer: int, keys: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Append one layer's new keys and values and give all of them."""
        if layer == len(self.keys):
            self.keys.append(keys)
            self.values.append(values)
        else:
            self.keys[layer] = np.concatenate([self.keys[layer], keys])
            self.values[layer] = np.concatenate([self.values[layer], values])
        return self.keys[layer], self.values[layer]


@dataclass(frozen=True)
class Layer:
    """One decoder layer's share."""

    input_norm: Floats
    qkv: Floats
    dense: Floats
    post_norm: Floats
    router: Floats
    gate_up: Floats
    down: Floats
    shared_gate_up: Floats
    shared_down: Floats


class Model:
    """The share of a BailingMoE model that this process computes.

    Args:
        checkpoint: the weights.
        shape: architecture numbers.
        share: the ranks held here and their heads.
        reduce: sums a partial result over all processes (identity for one).

    Raises:
        LoadError: a tensor is missing or has another shape.
        ValueError: a dimension does not divide by the world size.
    """

    def __init__(self, checkpoint: Tensors, shape: Architecture, share: Share, reduce: Reduce) -> None:
        self.shape = shape
        self._share = share
        self._reduce = reduce
        self._query_slots = sum(len(rank.query) for rank in share.heads)
        self._kv_slots = sum(len(rank.kv) for rank in share.heads)
        vocabulary, hidden = shape.vocabulary, shape.hidden
        self._embedding = checkpoint.tensor("model.word_embeddings.weight", (vocabulary, hidden))
        self._norm = checkpoint.tensor("model.norm.weight", (hidden,))
        self._head = self._load_head(checkpoint)
        self._layers = [self._load_layer(checkpoint, index) for index in range(shape.layers)]
        half = shape.head_dim // 2
        self._frequencies = shape.theta ** (-np.arange(half, dtype=np.float64) / half)

    def _load_head(self, checkpoint: Tensors) -> Floats:
        head = checkpoint.tensor("lm_head.weight", (self.shape.vocabulary, self.shape.hidden))
        if self.shape.norm_head:
            head = head / (np.linalg.norm(head, axis=0, keepdims=True) + np.float32(1e-7))
        slices = self._share.columns(self.shape.vocabulary, "vocab_size")
        return np.concatenate([head[part] for part in slices])

    def _load_layer(self, checkpoint: Tensors, index: int) -> Layer:
        shape, prefix = self.shape, f"model.layers.{index}."
        hidden, width = shape.hidden, shape.expert_width

        def read(name: str, *size: int) -> Floats:
            return checkpoint.tensor(f"{prefix}{name}.weight", size)

        query, total = shape.heads * shape.head_dim, (shape.heads + 2 * shape.kv_heads) * shape.head_dim
        columns = self._share.columns(width, "moe_intermediate_size")
        shared_width = width * shape.shared_experts
        shared = self._share.columns(shared_width, "the shared experts' width")
        experts = range(shape.experts)
        gate_up, down = [], []
        for expert in experts:
            name = f"mlp.experts.{expert}."
            gate, up = read(f"{name}gate_proj", width, hidden), read(f"{name}up_proj", width, hidden)
            gate_up.append(np.concatenate([m[part] for m in (gate, up) for part in columns]))
            down.append(_columns(read(f"{name}down_proj", hidden, width), columns))
        name = "mlp.shared_experts."
        gate = read(f"{name}gate_proj", shared_width, hidden)
        up = read(f"{name}up_proj", shared_width, hidden)
        return Layer(
            input_norm=read("input_layernorm", hidden),
            qkv=self._gather_qkv(read("attention.query_key_value", total, hidden)),
            dense=self._gather_dense(read("attention.dense", hidden, query)),
            post_norm=read("post_attention_layernorm", hidden),
            router=read("mlp.gate", shape.experts, hidden),
            gate_up=np.stack(gate_up),
            down=np.stack(down),
            shared_gate_up=np.concatenate([m[part] for m in (gate, up) for part in shared]),
            shared_down=_columns(read(f"{name}down_proj", hidden, shared_width), shared),
        )

    def _gather_qkv(self, packed: Floats) -> Floats:
        shape = self.shape
        heads = packed.reshape(shape.heads + 2 * shape.kv_heads, shape.head_dim, shape.hidden)
        zero = np.zeros_like(heads[0])

        def rows(slots: Sequence[int | None], offset: int) -> list[Floats]:
            return [zero if head is None else heads[offset + head] for head in slots]

        ranks = self._share.heads
        query = [row for rank in ranks for row in rows(rank.query, 0)]
        keys = [row for rank in ranks for row in rows(rank.kv, shape.heads)]
        values = [row for rank in ranks for row in rows(rank.kv, shape.heads + shape.kv_heads)]
        return np.concatenate([*query, *keys, *values])

    def _gather_dense(self, dense: Floats) -> Floats:
        heads = dense.reshape(self.shape.hidden, self.shape.heads, self.shape.head_dim)
        zero = np.zeros_like(heads[:, 0])
        slots = [head for rank in self._share.heads for head in rank.query]
        return np.concatenate([zero if head is None else heads[:, head] for head in slots], axis=1)

    def forward(self, sequences: Sequence[tuple[Sequence[int], Cache]]) -> Floats:
        """Feed new tokens of some sequences and give this share's logits of each one's last token.

        Returns:
            [sequences, vocabulary slice of this share].
        """
        logits: Floats = self.hidden(sequences) @ self._head.T
        return logits

    def hidden(self, sequences: Sequence[tuple[Sequence[int], Cache]], *, every: bool = False) -> Floats:
        """Final normalised hidden states of the last (or of every) new token."""
        lengths = [len(tokens) for tokens, _ in sequences]
        positions = np.concatenate(
            [
                np.arange(cache.length, cache.length + n)
                for n, (_, cache) in zip(lengths, sequences, strict=True)
            ]
        )
        angles = positions[:, None] / self.shape.rope_factor * self._frequencies[None, :]
        cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        ids = np.concatenate([np.asarray(tokens, dtype=np.int64) for tokens, _ in sequences])
        # An id below 0 has no embedding (the answer to a prompt of one was seen on the real 3.0.0).
        x = np.where(np.less(ids, 0)[..., None], np.float32(0), self._embedding[np.maximum(ids, 0)])
        ends = np.cumsum(lengths)
        for index, layer in enumerate(self._layers):
            normed = self._rms(x, layer.input_norm)
            x = x + self._reduce(self._attention(index, layer, normed, cos, sin, sequences, ends))
            x = x + self._reduce(self._experts(layer, self._rms(x, layer.post_norm)))
        chosen = x if every else x[ends - 1]
        return self._rms(chosen, self._norm)

    def _rms(self, x: Floats, weight: Floats) -> Floats:
        scale = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self.shape.epsilon))
        normed: Floats = (x * scale * weight).astype(np.float32)
        return normed

    def _attention(
        self,
        index: int,
        layer: Layer,
        x: Floats,
        cos: Floats,
        sin: Floats,
        sequences: Sequence[tuple[Sequence[int], Cache]],
        ends: Floats,
    ) -> Floats:
        width = self.shape.head_dim
        packed = (x @ layer.qkv.T).reshape(len(x), -1, width)
        nq, nkv = self._query_slots, self._kv_slots
        query = _rotate(packed[:, :nq], cos, sin)
        keys, values = _rotate(packed[:, nq : nq + nkv], cos, sin), packed[:, nq + nkv :]
        mixed = np.empty_like(query)
        start = 0
        for (_, cache), end in zip(sequences, (int(e) for e in ends), strict=True):
            every_key, every_value = cache.extend(index, keys[start:end], values[start:end])
            mixed[start:end] = _attend(query[start:end], every_key, every_value)
            start = end
        result: Floats = mixed.reshape(len(x), -1) @ layer.dense.T
        return result

    def _experts(self, layer: Layer, x: Floats) -> Floats:
        scores = _softmax(x @ layer.router.T)
        top = np.argsort(-scores, axis=-1, kind="stable")[:, : self.shape.experts_per_token]
        weights = np.take_along_axis(scores, top, axis=-1)
        if self.shape.norm_topk and self.shape.experts_per_token > 1:
            weights = weights / weights.sum(axis=-1, keepdims=True)
        out = _swiglu(x @ layer.shared_gate_up.T) @ layer.shared_down.T
        # numpy.unique would import numpy.ma, which takes longer than an answer of the tiny models.
        for expert in sorted(set(top.ravel().tolist())):
            rows, slots = np.nonzero(top == expert)
            inner = _swiglu(x[rows] @ layer.gate_up[expert].T) @ layer.down[expert].T
            out[rows] += weights[rows, slots, None] * inner
        return out.astype(np.float32)


def _columns(matrix: Floats, parts: Sequence[slice]) -> Floats:
    return np.concatenate([matrix[:, part] for part in parts], axis=1)


def _softmax(x: Floats) -> Floats:
    exponents = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Floats = exponents / exponents.sum(axis=-1, keepdims=True)
    return result


def _swiglu(packed: Floats) -> Floats:
    half = packed.shape[-1] // 2
    gate, up = packed[:, :half], packed[:, half:]
    return np.multiply(gate / (np.float32(1.0) + np.exp(-gate)), up, dtype=np.float32)


def _rotate(x: Floats, cos: Floats, sin: Floats) -> Floats:
    half = x.shape[-1] // 2
    left, right = x[..., :half], x[..., half:]
    c, s = cos[:, None, :], sin[:, None, :]
    return np.concatenate([left * c - right * s, right * c + left * s], axis=-1)


def _attend(query: Floats, keys: Floats, values: Floats) -> Floats:
    """Causal attention of new tokens [n, q slots, d] over all tokens [m, kv slots, d]."""
    new, slots, width = query.shape
    total, groups = keys.shape[0], keys.shape[1]
    grouped = query.reshape(new, groups, slots // groups, width).transpose(1, 2, 0, 3)
    scores = grouped @ keys.transpose(1, 2, 0)[:, None] / np.float32(np.sqrt(width))
    future = np.arange(total)[None, :] > np.arange(total - new, total)[:, None]
    scores = np.where(future, np.float32(-1e30), scores)
    mixed = _softmax(scores) @ values.transpose(1, 0, 2)[:, None]
    return mixed.transpose(2, 0, 1, 3).reshape(new, slots, width)
