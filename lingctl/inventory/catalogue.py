"""The Ling models that lingctl knows, and what to expect of each.

Source: the Ling README and the published configs; the table is an expectation only, what counts is
the config.json that was downloaded.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from lingctl.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture numbers of a BailingMoE v1 model."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    experts: int
    experts_per_token: int
    shared_experts: int
    moe_intermediate: int
    vocabulary: int


@dataclass(frozen=True, slots=True)
class Model:
    """One published model.

    Attributes:
        name: how users call it.
        repository: id on ModelScope and Hugging Face.
        folder: folder name below ``paths.models``.
        kind: ``chat`` or ``base``.
        shape: expected architecture.
        weights_bytes: size of the bf16 weights.
        context: tokens of the native window; MindIE is limited to it.
        cards: smallest number of 64 GB cards that holds it with a useful KV cache.
    """

    name: str
    repository: str
    folder: str
    kind: Literal["chat", "base"]
    shape: Shape
    weights_bytes: int
    context: int
    cards: int


LITE = Shape(28, 2048, 16, 4, 128, 64, 6, 2, 1408, 126464)
PLUS = Shape(88, 5376, 56, 8, 128, 64, 4, 1, 3072, 126464)
_LITE_BYTES = 33_603_948_544
_PLUS_BYTES = 585_081_358_848


def _lite(name: str, kind: Literal["chat", "base"], context: int = 16384) -> Model:
    return Model(name, f"inclusionAI/{name}", name.replace("-", "_"), kind, LITE, _LITE_BYTES, context, 1)


def _plus(name: str, kind: Literal["chat", "base"]) -> Model:
    return Model(name, f"inclusionAI/{name}", name.replace("-", "_"), kind, PLUS, _PLUS_BYTES, 16384, 16)


MODELS: tuple[Model, ...] = (
    _lite("Ling-lite", "chat"),
    _lite("Ling-lite-base", "base"),
    _lite("Ling-lite-1.5", "chat", 32768),
    _lite("Ling-lite-base-1.5", "base", 32768),
    _lite("Ling-lite-1.5-2506", "chat", 32768),
    _lite("Ling-lite-1.5-2507", "chat", 32768),
    _lite("Ling-Coder-lite", "chat"),
    _lite("Ling-Coder-lite-base", "base"),
    _lite("Ring-lite", "chat", 32768),
    _plus("Ling-plus", "chat"),
    _plus("Ling-plus-base", "base"),
)


def find_model(name: str) -> Model:
    """The catalogue entry of a name, without regard to case.

    Raises:
        ConfigurationError: not in the catalogue; suggests the nearest name.
    """
    by_name = {model.name.lower(): model for model in MODELS}
    found = by_name.get(name.lower())
    if found:
        return found
    near = difflib.get_close_matches(name.lower(), by_name, n=1)
    hint = f"did you mean {by_name[near[0]].name}?" if near else "see `lingctl models` for the list"
    raise ConfigurationError(f"model {name!r} is not in the catalogue", remedy=hint, code="unknown-model")
