"""The tensors that a BailingMoE v1 config.json calls for, compared with those that are there. Pure.

Source: the published modelling code and headers of the Ling v1 models: fused query_key_value with query,
key and value blocks one below the other, one wide MLP for all shared experts.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from lingctl.node.weights.contents import Held

ARCHITECTURE = "BailingMoeForCausalLM"
_MOST_TENSORS = 1_000_000
_LAYER = re.compile(r"^model\.layers\.(\d+)\.(?:mlp\.experts\.(\d+)\.)?")
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
# Other spellings in published configs.
_ALIASES = {"num_experts": "n_routed_experts", "num_shared_experts": "n_shared_experts"}


class Shapes(NamedTuple):
    """Shapes of layer 0 that tell how heads are cut; None where the tensor is missing."""

    query_key_value: Optional[Tuple[int, ...]]
    dense: Optional[Tuple[int, ...]]


class ConfigFit(NamedTuple):
    """What comparing gave: each line names tensors or keys of config.json.

    Attributes:
        missing: names of tensors that must be there and are not.
        problems: why the weights cannot be served with this config.
        notes: what a deploy mends, or what is harmless.
    """

    missing: Tuple[str, ...]
    problems: Tuple[str, ...]
    notes: Tuple[str, ...]


def layer_shapes(tensors: Mapping[str, Held]) -> Shapes:
    """The shapes of layer 0's fused attention weights."""

    def shape(name: str) -> Optional[Tuple[int, ...]]:
        held = tensors.get(f"model.layers.0.attention.{name}.weight")
        return held.shape if held and len(held.shape) == 2 else None

    return Shapes(shape("query_key_value"), shape("dense"))


def judge(config: Mapping[str, object], tensors: Mapping[str, Held]) -> ConfigFit:
    """Compare. Models of other families are not judged: a note says so."""
    architectures = config.get("architectures")
    name = architectures[0] if isinstance(architectures, list) and architectures else None
    if name != ARCHITECTURE:
        return ConfigFit((), (), (f"config.json is of {name or 'no architecture'}: tensors not compared",))
    try:
        numbers = _Numbers(config)
        width, notes = _head_width(numbers, layer_shapes(tensors))
        wanted = _wanted(numbers, width)
    except ValueError as error:
        return ConfigFit((), (f"config.json: {error}",), ())
    missing = tuple(key for key in wanted if key not in tensors)
    problems = _wrong_shapes(wanted, tensors) + _beyond(numbers, wanted, tensors)
    notes += _unknown(numbers, wanted, tensors) + _dtypes(config, tensors)
    return ConfigFit(missing, tuple(problems), tuple(notes))


class _Numbers:
    """The numbers of a config.json; ValueError names the key that makes no sense."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self._config = config
        self.layers = self._number("num_hidden_layers")
        self.hidden = self._number("hidden_size")
        self.heads = self._number("num_attention_heads")
        self.kv_heads = self._number("num_key_value_heads", self.heads)
        self.head_dim = self._number("head_dim", 0)
        self.experts = self._number("num_experts")
        self.shared = self._number("num_shared_experts", 0)
        self.expert_width = self._number("moe_intermediate_size")
        self.dense_layers = self._number("first_k_dense_replace", 0)
        self.dense_width = self._number("intermediate_size", 0)
        self.vocabulary = self._number("vocab_size")
        self.tied = config.get("tie_word_embeddings") is True
        self.qkv_bias = config.get("use_qkv_bias") is True
        self.bias = config.get("use_bias") is True
        if not self.heads or not self.kv_heads or self.layers * (self.experts * 3 + 8) > _MOST_TENSORS:
            raise ValueError("its numbers of heads, layers or experts make no sense")

    def _number(self, key: str, default: Optional[int] = None) -> int:
        value = self._config.get(key)
        if value is None:
            value = self._config.get(_ALIASES.get(key, ""))
        if value is None:
            value = default
        if type(value) is not int or value < 0:
            raise ValueError(f"{key} is {value!r}, not a number of things")
        return value


def _head_width(numbers: _Numbers, shapes: Shapes) -> Tuple[int, List[str]]:
    """Width of a head as the weights have it, else as config.json has it (0 and null: hidden / heads)."""
    stated = numbers.head_dim or numbers.hidden // numbers.heads
    if shapes.query_key_value is None or shapes.dense is None:
        return stated, []
    rows, columns = shapes.query_key_value[0], shapes.dense[1]
    fused = numbers.heads + 2 * numbers.kv_heads
    if rows % fused or columns % numbers.heads or rows // fused != columns // numbers.heads:
        raise ValueError(
            f"{numbers.heads} heads and {numbers.kv_heads} KV heads do not fit weights with {rows} rows of "
            f"query_key_value and {columns} columns of dense"
        )
    width = rows // fused
    if width == stated:
        return width, []
    return width, [f"config.json means heads of width {stated}, the weights have {width}; deploy states it"]


def _wanted(numbers: _Numbers, width: int) -> Dict[str, Tuple[int, ...]]:
    hidden = numbers.hidden
    wanted: Dict[str, Tuple[int, ...]] = {"model.word_embeddings.weight": (numbers.vocabulary, hidden)}
    for layer in range(numbers.layers):
        start = f"model.layers.{layer}."
        wanted.update(_attention(numbers, width, start))
        if layer < numbers.dense_layers:
            wanted.update(_mlp(f"{start}mlp.", hidden, numbers.dense_width))
            continue
        wanted[f"{start}mlp.gate.weight"] = (numbers.experts, hidden)
        for expert in range(numbers.experts):
            wanted.update(_mlp(f"{start}mlp.experts.{expert}.", hidden, numbers.expert_width))
        if numbers.shared:
            shared = numbers.shared * numbers.expert_width
            wanted.update(_mlp(f"{start}mlp.shared_experts.", hidden, shared))
    wanted["model.norm.weight"] = (hidden,)
    if not numbers.tied:
        wanted["lm_head.weight"] = (numbers.vocabulary, hidden)
    return wanted


def _attention(numbers: _Numbers, width: int, start: str) -> Dict[str, Tuple[int, ...]]:
    rows = (numbers.heads + 2 * numbers.kv_heads) * width
    found: Dict[str, Tuple[int, ...]] = {
        f"{start}input_layernorm.weight": (numbers.hidden,),
        f"{start}attention.query_key_value.weight": (rows, numbers.hidden),
        f"{start}attention.dense.weight": (numbers.hidden, numbers.heads * width),
        f"{start}post_attention_layernorm.weight": (numbers.hidden,),
    }
    if numbers.qkv_bias:
        found[f"{start}attention.query_key_value.bias"] = (rows,)
    if numbers.bias:
        found[f"{start}attention.dense.bias"] = (numbers.hidden,)
    return found


def _mlp(start: str, hidden: int, width: int) -> Dict[str, Tuple[int, ...]]:
    return {
        f"{start}gate_proj.weight": (width, hidden),
        f"{start}up_proj.weight": (width, hidden),
        f"{start}down_proj.weight": (hidden, width),
    }


def _wrong_shapes(wanted: Mapping[str, Tuple[int, ...]], tensors: Mapping[str, Held]) -> List[str]:
    wrong = [
        f"{name} is {list(tensors[name].shape)}, config.json means {list(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    return wrong[:5] + ([f"{len(wrong) - 5} more tensors of another shape"] if len(wrong) > 5 else [])


def _beyond(
    numbers: _Numbers, wanted: Mapping[str, Tuple[int, ...]], tensors: Mapping[str, Held]
) -> List[str]:
    """Layers or experts that config.json does not count would silently be left out of the model."""
    layers, experts = set(), set()
    for name in tensors:
        found = _LAYER.match(name)
        if found and name not in wanted:
            if int(found.group(1)) >= numbers.layers:
                layers.add(int(found.group(1)))
            elif found.group(2) and int(found.group(2)) >= numbers.experts:
                experts.add(int(found.group(2)))
    problems = []
    if layers:
        problems.append(f"the weights have layer {max(layers)}, config.json only {numbers.layers} layers")
    if experts:
        problems.append(f"the weights have expert {max(experts)}, config.json only {numbers.experts} experts")
    return problems


def _unknown(
    numbers: _Numbers, wanted: Mapping[str, Tuple[int, ...]], tensors: Mapping[str, Held]
) -> List[str]:
    """A tied head that is stored all the same is no surprise; the rest is told."""
    unknown = [
        name for name in tensors if name not in wanted and not (numbers.tied and name == "lm_head.weight")
    ]
    if not unknown:
        return []
    return [f"{len(unknown)} tensors that the model does not use, such as {unknown[0]}"]


def _dtypes(config: Mapping[str, object], tensors: Mapping[str, Held]) -> List[str]:
    """MindIE converts while it loads: another element type costs time and memory, not correctness."""
    stated = config.get("torch_dtype") or config.get("dtype")
    wanted = _DTYPES.get(str(stated).replace("torch.", ""))
    others: Dict[str, int] = {}
    for held in tensors.values():
        if wanted and held.dtype != wanted:
            others[held.dtype] = others.get(held.dtype, 0) + 1
    return [f"{count} tensors are {dtype}, config.json says {stated}" for dtype, count in others.items()]
