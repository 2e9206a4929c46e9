"""The decoder, layer by layer, over all texts and all streams at once.

Source: modeling_bailing_moe.py of inclusionAI/Ling (2025-05): pre-norm, query, key and value blocks one below
the other in one weight, rotation of halves, neighbouring query heads share a key and value head, softmax
router whose chosen likelihoods are divided by their sum, shared experts added without a gate.
"""

from __future__ import annotations

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from typing import Any, Dict, List, Sequence, Tuple

from lingctl.node.prove.architecture import BailingShape
from lingctl.node.prove.arrays import Array
from lingctl.node.prove.rotary import tables
from lingctl.node.prove.stored import StoredTensors, names_of
from lingctl.node.prove.streams import EXACT, EXPERTS, HEADS, ROUNDED, ROUTER, Lanes, exchanged
from lingctl.node.workers import threads

# Scores of attention that are held at once.
_MOST_SCORES = 1 << 24


class Operations:
    """What every part of the model does: weights as float32, norms, and the rounding of the rounded stream.

    Args:
        arrays: NumpyArrays or TorchArrays.
        lanes: which rows belong to which stream.
    """

    def __init__(self, arrays: Any, stored: StoredTensors, lanes: Lanes) -> None:  # noqa: ANN401  (either kind)
        self.arrays = arrays
        self._stored = stored
        self.rounded = lanes.rows(ROUNDED)

    def settle(self, x: Array) -> Array:
        """Round what belongs to the rounded stream, as an engine keeps it between two operations."""
        return self.settle_rows(x, self.rounded)

    def settle_rows(self, x: Array, rows: slice) -> Array:
        """Round these rows."""
        if rows.stop > rows.start:
            x[rows] = self.arrays.rounded(x[rows])
        return x

    def weight(self, name: str) -> Array:
        """A tensor as float32."""
        return self.widened(name, self._stored.read(name), self._stored.places[name].shape)

    def widened(self, name: str, data: bytearray, shape: Sequence[int]) -> Array:
        """Bytes of a tensor as float32."""
        return self.arrays.widen(data, self._stored.places[name].dtype, shape)

    def normed(self, x: Array, name: str, epsilon: float) -> Array:
        """Each row by the root of the mean of its squares, and by a norm's weight."""
        even = x / ((x * x).mean(-1)[..., None] + epsilon) ** 0.5
        return self.settle(self.settle(even) * self.weight(name))


class Decoder:
    """The layers of a model, over texts that are all known.

    Args:
        arrays: NumpyArrays or TorchArrays.
        lengths: how many tokens each text has, in the order of the rows.
    """

    def __init__(
        self,
        arrays: Any,  # noqa: ANN401  (either kind)
        shape: BailingShape,
        stored: StoredTensors,
        lanes: Lanes,
        lengths: Sequence[int],
    ) -> None:
        self._arrays, self._shape, self._stored, self._lanes = arrays, shape, stored, lanes
        self._do = Operations(arrays, stored, lanes)
        self._workers = ThreadPoolExecutor(threads())
        self._texts: List[Tuple[int, int]] = []
        first = 0
        for length in lengths:
            self._texts.append((first, first + length))
            first += length
        cosines, sines = tables(shape.rope, shape.head_dim, max(lengths))
        self._cosines, self._sines = arrays.floats(cosines), arrays.floats(sines)

    def run(self, tokens: Sequence[int]) -> Array:
        """What comes out of the last layer for each row of each stream, before the last norm."""
        self._stored.part("embedding")
        name = "model.word_embeddings.weight"
        kinds = sorted(set(tokens))
        table = self._do.widened(name, self._stored.rows(name, kinds), (len(kinds), self._shape.hidden))
        place = {token: number for number, token in enumerate(kinds)}
        once = table[[place[token] for token in tokens]]
        x = self._arrays.joined([once] * len(self._lanes.names))
        with self._workers:
            for layer in range(self._shape.layers):
                self._stored.part(f"layer {layer + 1} of {self._shape.layers}")
                x = self._layer(layer, x)
        return x

    def _layer(self, layer: int, x: Array) -> Array:
        name = f"model.layers.{layer}."
        h = self._do.normed(x, f"{name}input_layernorm.weight", self._shape.epsilon)
        x = self._do.settle(x + self._attention(f"{name}attention.", h))
        h = self._do.normed(x, f"{name}post_attention_layernorm.weight", self._shape.epsilon)
        if layer < self._shape.dense_layers:
            return self._do.settle(x + self._mlp(f"{name}mlp.", h, self._do.rounded))
        return self._do.settle(x + self._experts(f"{name}mlp.", h))

    def _linear(self, name: str, x: Array, *, bias: bool) -> Array:
        y = x @ self._do.weight(f"{name}.weight").T
        return self._do.settle(y + self._do.weight(f"{name}.bias") if bias else y)

    def _attention(self, name: str, h: Array) -> Array:
        shape, lanes, arrays = self._shape, self._lanes, self._arrays
        packed = self._linear(f"{name}query_key_value", h, bias=shape.qkv_bias)
        packed = packed.reshape(len(h), shape.heads + 2 * shape.kv_heads, shape.head_dim)
        mixed = []
        for stream in lanes.names:
            own = packed[lanes.rows(stream)]
            mixed += [self._attend(stream, own[first:end]) for first, end in self._texts]
        return self._linear(f"{name}dense", self._do.settle(arrays.joined(mixed)), bias=shape.dense_bias)

    def _attend(self, stream: str, packed: Array) -> Array:
        """One text's attention to itself: [tokens, heads x head_dim]."""
        shape, arrays = self._shape, self._arrays
        groups, each, width = shape.kv_heads, shape.heads // shape.kv_heads, shape.head_dim
        count = len(packed)

        def kept(x: Array) -> Array:
            return arrays.rounded(x) if stream == ROUNDED else x

        first_value = shape.heads + groups
        order = self._lanes.heads(stream, groups)
        queries = kept(self._turned(packed[:, : shape.heads]))
        keys = kept(self._turned(packed[:, shape.heads : first_value]))[:, order]
        values = packed[:, first_value:][:, order]
        queries = arrays.moved(queries.reshape(count, groups, each, width), 1, 2, 0, 3)
        keys = arrays.moved(keys, 1, 2, 0)[:, None]
        values = arrays.moved(values, 1, 0, 2)[:, None]
        step = max(1, _MOST_SCORES // (shape.heads * count))
        parts = []
        for first in range(0, count, step):
            scores = queries[:, :, first : first + step] @ keys / sqrt(width)
            likely = arrays.softmax(arrays.hide_future(kept(scores), first))
            parts.append(kept(likely) @ values)
        mixed = arrays.moved(arrays.joined(parts, 2), 2, 0, 1, 3).reshape(count, shape.heads, width)
        if stream == HEADS and groups == 1:
            mixed = mixed[:, self._lanes.heads(stream, shape.heads)]
        return mixed.reshape(count, shape.heads * width)

    def _turned(self, x: Array) -> Array:
        """Turned by their places: [tokens, heads, head_dim]."""
        half = self._shape.head_dim // 2
        cosines, sines = self._cosines[: len(x), None], self._sines[: len(x), None]
        left, right = x[..., :half], x[..., half:]
        return self._arrays.joined([left * cosines - right * sines, right * cosines + left * sines], -1)

    def _mlp(self, prefix: str, h: Array, rounded: slice) -> Array:
        """An MLP; ``rounded`` are the rows of the rounded stream among these."""
        arrays = self._arrays
        inner = None
        for name, data in self._stored.each(names_of(prefix, "gate_proj", "up_proj", "down_proj")):
            weight = self._do.widened(name, data, self._stored.places[name].shape)
            y = self._do.settle_rows((h if inner is None or "up_proj" in name else inner) @ weight.T, rounded)
            if inner is None:
                inner = self._do.settle_rows(arrays.silu(y), rounded)
            elif "up_proj" in name:
                inner = self._do.settle_rows(inner * y, rounded)
        return y

    def _weighed(self, likely: Array) -> Array:
        """The chosen experts' likelihoods, divided by their sum where the model has it so, or wrongly."""
        shape, wrong = self._shape, self._lanes.rows(ROUTER) if ROUTER in self._lanes.names else slice(0, 0)
        divided = likely / likely.sum(-1)[:, None]
        right, other = (divided, likely) if shape.norm_topk else (likely, divided)
        return self._arrays.joined([right[: wrong.start], other[wrong], right[wrong.stop :]])

    def _experts(self, prefix: str, h: Array) -> Array:
        shape, arrays, lanes = self._shape, self._arrays, self._lanes
        scores = arrays.softmax(self._do.settle(h @ self._do.weight(f"{prefix}gate.weight").T))
        likely, places = arrays.top(scores, shape.experts_per_token)
        if shape.experts_per_token > 1:
            likely = self._weighed(likely)
        chosen: List[List[int]] = places.tolist()
        others = exchanged(chosen[lanes.rows(EXACT)]) if EXPERTS in lanes.names else {}
        mistaken = lanes.rows(EXPERTS) if others else slice(0, 0)
        rows: Dict[int, List[int]] = {}
        ranks: Dict[int, List[int]] = {}
        for row, experts in enumerate(chosen):
            for rank, expert in enumerate(experts):
                taken = others.get(expert, expert) if mistaken.start <= row < mistaken.stop else expert
                rows.setdefault(taken, []).append(row)
                ranks.setdefault(taken, []).append(rank)
        total = arrays.zeros(len(h), shape.hidden)

        def computed(expert: int) -> Array:
            own = f"{prefix}experts.{expert}."
            here = rows[expert]
            first, end = (bisect_left(here, row) for row in (self._do.rounded.start, self._do.rounded.stop))
            weights = likely[here, ranks[expert]]
            return weights[:, None] * self._mlp(own, h[here], slice(first, end))

        for expert in range(shape.experts):
            if expert not in rows:
                own = f"{prefix}experts.{expert}."
                self._stored.skip(names_of(own, "gate_proj", "up_proj", "down_proj"))
        in_order = sorted(rows)
        # In their order, whichever is ready first: the sum is the same in every run.
        for expert, part in zip(in_order, self._workers.map(computed, in_order)):
            total[rows[expert]] += part
        total = self._do.settle(total)
        if shape.shared_experts:
            shared = self._mlp(f"{prefix}shared_experts.", h, self._do.rounded)
            total = self._do.settle(total + shared)
        return total
