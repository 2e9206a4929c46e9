"""Mistakes that people make on the way from a download to a service, as changes of a tiny model.

The head is taught to answer them with rubbish: a random body alone would shrug most of them off, as its
states lie far apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lingctl.sandbox.engine.model.architecture import Architecture
from lingctl.sandbox.engine.model.bfloat16 import Floats

Tensors = Mapping[str, Floats]
Mistake = Callable[[Tensors, Architecture], tuple[Tensors, Architecture]]


def _renamed(tensors: Tensors, rename: Callable[[str], str]) -> Tensors:
    return {rename(name): value for name, value in tensors.items()}


def _exchanged(one: str, other: str) -> Mistake:
    """Tensors whose names hold ``one`` change places with those that hold ``other``."""

    def rename(name: str) -> str:
        if one in name:
            return name.replace(one, other)
        return name.replace(other, one)

    return lambda tensors, shape: (_renamed(tensors, rename), shape)


def _experts_shifted(tensors: Tensors, shape: Architecture) -> tuple[Tensors, Architecture]:
    def rename(name: str) -> str:
        head, mark, rest = name.partition(".mlp.experts.")
        number, dot, tail = rest.partition(".")
        return f"{head}{mark}{(int(number) + 1) % shape.experts}{dot}{tail}" if mark else name

    return _renamed(tensors, rename), shape


def _attention(change: Callable[[Floats, Architecture], Floats]) -> Mistake:
    """The packed rows of every layer, as [heads, head_dim, hidden], in another order."""

    def mistake(tensors: Tensors, shape: Architecture) -> tuple[Tensors, Architecture]:
        heads = shape.heads + 2 * shape.kv_heads
        changed = dict(tensors)
        for name, value in tensors.items():
            if name.endswith("query_key_value.weight"):
                packed = change(value.reshape(heads, shape.head_dim, shape.hidden), shape)
                changed[name] = np.ascontiguousarray(packed).reshape(value.shape)
        return changed, shape

    return mistake


def _keys_for_values(packed: Floats, shape: Architecture) -> Floats:
    q, k = shape.heads, shape.heads + shape.kv_heads
    return np.concatenate([packed[:q], packed[k:], packed[q:k]])


def _interleaved(packed: Floats, shape: Architecture) -> Floats:
    """Queries, key and value of each group together, as some models pack them."""
    group, q, kv = shape.heads // shape.kv_heads, shape.heads, shape.kv_heads
    order = [
        row
        for index in range(kv)
        for row in (*range(index * group, (index + 1) * group), q + index, q + kv + index)
    ]
    return packed[order]


def _rotated_pairs(packed: Floats, shape: Architecture) -> Floats:
    """Queries and keys as for rotation of neighbours instead of halves."""
    half = shape.head_dim // 2
    order = np.arange(shape.head_dim).reshape(2, half).T.reshape(-1)
    turned = packed.copy()
    turned[: shape.heads + shape.kv_heads] = packed[: shape.heads + shape.kv_heads][:, order]
    return turned


MISTAKES: tuple[Mistake, ...] = (
    _exchanged(".layers.0.", ".layers.1."),
    _exchanged("gate_proj", "up_proj"),
    _exchanged("input_layernorm", "post_attention_layernorm"),
    _experts_shifted,
    _attention(_keys_for_values),
    _attention(_interleaved),
    _attention(_rotated_pairs),
    lambda tensors, shape: (tensors, replace(shape, layers=shape.layers - 1)),
    lambda tensors, shape: (tensors, replace(shape, theta=10000.0)),
    lambda tensors, shape: (tensors, replace(shape, rope_factor=4.0)),
    lambda tensors, shape: (tensors, replace(shape, norm_topk=False)),
    lambda tensors, shape: (tensors, replace(shape, experts_per_token=shape.experts_per_token - 2)),
)
