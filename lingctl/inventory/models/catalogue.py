"""The Ling models that lingctl knows, and what to expect of each.

Source: the Ling README and the published configs; the table is an expectation only, what counts is
the config.json that was downloaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lingctl.errors import ConfigurationError
from lingctl.nearest import did_you_mean


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
    """One published model."""

    name: str  # how users call it
    repository: str  # id on ModelScope and Hugging Face
    folder: str  # folder name below ``paths.models``
    kind: Literal["chat", "base"]  # ``chat`` or ``base``
    shape: Shape  # expected architecture
    weights_bytes: int  # size of the bf16 weights
    context: int  # tokens of the native window; MindIE is limited to it
    extended: int  # tokens that its makers name, with YaRN; the native window where they name no more
    cards: int  # smallest number of 64 GB cards that holds it with a useful KV cache


LITE = Shape(
    layers=28,
    hidden=2048,
    heads=16,
    kv_heads=4,
    head_dim=128,
    experts=64,
    experts_per_token=6,
    shared_experts=2,
    moe_intermediate=1408,
    vocabulary=126464,
)
PLUS = Shape(
    layers=88,
    hidden=5376,
    heads=56,
    kv_heads=8,
    head_dim=128,
    experts=64,
    experts_per_token=4,
    shared_experts=1,
    moe_intermediate=3072,
    vocabulary=126464,
)
_LITE_BYTES = 33_603_948_544
_PLUS_BYTES = 585_081_358_848


def _model(name: str, kind: Literal["chat", "base"], context: int = 16384, factor: int = 4) -> Model:
    repository, folder = f"inclusionAI/{name}", name.replace("-", "_")
    shape, size, cards = (PLUS, _PLUS_BYTES, 16) if "plus" in name else (LITE, _LITE_BYTES, 1)
    return Model(name, repository, folder, kind, shape, size, context, factor * context, cards)


MODELS: tuple[Model, ...] = (
    _model("Ling-lite", "chat"),
    _model("Ling-lite-base", "base"),
    _model("Ling-lite-1.5", "chat", 32768),
    _model("Ling-lite-base-1.5", "base", 32768),
    _model("Ling-lite-1.5-2506", "chat", 32768),
    _model("Ling-lite-1.5-2507", "chat", 32768),
    _model("Ling-Coder-lite", "chat", factor=1),
    _model("Ling-Coder-lite-base", "base", factor=1),
    _model("Ring-lite", "chat", 32768),
    _model("Ring-lite-2506", "chat", 32768),
    _model("Ring-lite-2507", "chat", 32768),
    _model("Ring-lite-distill-preview", "chat"),
    _model("Ling-plus", "chat"),
    _model("Ling-plus-base", "base"),
)


# Published under names that look alike, of architectures that the overlay does not compute.
_OTHERS: tuple[tuple[str, str], ...] = (
    (
        r"(ling|ring)-(coder-)?(mini|flash|1t).*2\.0.*|(ling|ring)-1t.*",
        "is of the Ling 2.0 family (BailingMoeV2): it routes by sigmoid and groups, and normalises q and k",
    ),
    (
        r"(ling|ring)-.*(2\.[5-9]|3\.[0-9]).*",
        "is of a later family (bailing_hybrid): other attention",
    ),
    (r"ring-.*linear.*", "has linear attention (bailing_moe_linear)"),
    (r"ling-.*gptq.*", "is quantised with GPTQ, which MindIE does not read"),
)


def find_model(name: str) -> Model:
    """The catalogue entry of a name, without regard to case or to ``inclusionAI/`` before it.

    Raises:
        ConfigurationError: not in the catalogue; suggests the nearest name, or says why a published model
            cannot be served.
    """
    bare = name.lower().removeprefix("inclusionai/")
    by_name = {model.name.lower(): model for model in MODELS}
    found = by_name.get(bare)
    if found:
        return found
    for pattern, reason in _OTHERS:
        if re.fullmatch(pattern, bare):
            raise ConfigurationError(
                f"{name} {reason}",
                remedy="lingctl serves the first generation (BailingMoE): lingctl models lists it",
                code="model-family-unsupported",
            )
    hint = did_you_mean(bare, (model.name for model in MODELS), 1) or "see `lingctl models` for the list"
    raise ConfigurationError(f"model {name!r} is not in the catalogue", remedy=hint, code="unknown-model")
