"""The tensors that a BailingMoE v1 config.json calls for, compared with those that are there. Pure.

Source: the published modelling code and headers of the Ling v1 models: fused query_key_value with query,
key and value blocks one below the other, one wide MLP for all shared experts.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from lingctl.node.checkpoint.record import Held
from lingctl.node.trouble import shown
from lingctl.node.weights.computed import as_json, not_computed

ARCHITECTURE = "BailingMoeForCausalLM"
_MOST_TENSORS = 400_000
_SHOWN = 5
_LAYER = re.compile(r"^model\.layers\.(\d{1,9})\.(?:mlp\.experts\.(\d{1,9})\.)?")
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
_REALS = ("BF16", "F16", "F32", "F64")
# Other spellings in published configs.
_ALIASES = {"num_experts": "n_routed_experts", "num_shared_experts": "n_shared_experts"}


class Shapes(NamedTuple):
    """Shapes of layer 0 that tell how heads are cut; None where the tensor is missing."""

    query_key_value: Optional[Tuple[int, ...]]
    dense: Optional[Tuple[int, ...]]


class ConfigFit(NamedTuple):
    """What comparing gave: each line names tensors or keys of config.json."""

    compared: bool  # whether config.json is of a family that is judged here
    missing: int  # how many tensors must be there and are not
    missing_names: Tuple[str, ...]  # the first of them
    problems: Tuple[str, ...]  # why the weights cannot be served with this config
    notes: Tuple[str, ...]  # what a deploy mends, or what is harmless


NOT_COMPARED = ConfigFit(False, 0, (), (), ())


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
        family = shown(name) if isinstance(name, str) and name else "no architecture"
        return NOT_COMPARED._replace(notes=(f"config.json is of {family}: tensors not compared",))
    try:
        numbers = _Numbers(config)
        width, notes = _head_width(numbers, layer_shapes(tensors))
    except ValueError as error:
        return ConfigFit(True, 0, (), (f"config.json: {error}",), ())
    missing: List[str] = []  # the first of them
    wrong: List[str] = []  # the first tensors of another shape
    known: Set[str] = set()
    count = others = 0
    for name, shape in _wanted(numbers, width):
        held = tensors.get(name)
        if held is None:
            count += 1
            missing += [name] if len(missing) < _SHOWN else []
            continue
        known.add(name)
        if held.shape != shape:
            others += 1
            if len(wrong) < _SHOWN:
                wrong.append(f"{name} is {list(held.shape)}, config.json means {list(shape)}")
    if numbers.tied:
        # A tied head that is stored all the same is no surprise.
        known.add("lm_head.weight")
    unknown = [name for name in tensors if name not in known]
    problems = not_computed(config, numbers.experts, numbers.experts_per_token) + _quantised(tensors)
    problems += wrong
    if others > _SHOWN:
        problems.append(f"{others - _SHOWN} more tensors of another shape")
    problems += _beyond(numbers, unknown)
    unused = [name for name in unknown if is_buffer(name)]
    if unused:
        notes.append(f"{len(unused)} tensors that the model does not use, such as {shown(unused[0])}")
    notes += _dtypes(config, tensors)
    return ConfigFit(True, count, tuple(missing), tuple(problems), tuple(notes))


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
        self.experts_per_token = self._number("num_experts_per_tok", 0)
        few = min(self.layers, self.hidden, self.heads, self.kv_heads, self.vocabulary)
        if not few or self.layers * (self.experts * 3 + 8) > _MOST_TENSORS:
            raise ValueError("its numbers of heads, layers or experts make no sense")

    def _number(self, key: str, default: Optional[int] = None) -> int:
        value = self._config.get(key)
        if value is None:
            value = self._config.get(_ALIASES.get(key, ""))
        if value is None:
            value = default
        if type(value) is not int or not 0 <= value < 2**40:
            raise ValueError(f"{key} is {as_json(value)}, not a number of things")
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
    if numbers.head_dim:
        raise ValueError(f"head_dim is {stated}, the weights have heads of width {width}")
    return width, [f"config.json means heads of width {stated}, the weights have {width}; deploy states it"]


def _wanted(numbers: _Numbers, width: int) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    """Names and shapes one after the other: there may be many, and no more than the weights have are kept."""
    hidden, rows = numbers.hidden, (numbers.heads + 2 * numbers.kv_heads) * width
    yield "model.word_embeddings.weight", (numbers.vocabulary, hidden)
    for layer in range(numbers.layers):
        start = f"model.layers.{layer}."
        yield f"{start}input_layernorm.weight", (hidden,)
        yield f"{start}attention.query_key_value.weight", (rows, hidden)
        yield f"{start}attention.dense.weight", (hidden, numbers.heads * width)
        yield f"{start}post_attention_layernorm.weight", (hidden,)
        if layer < numbers.dense_layers:
            yield from _mlp(f"{start}mlp.", hidden, numbers.dense_width)
            continue
        yield f"{start}mlp.gate.weight", (numbers.experts, hidden)
        for expert in range(numbers.experts):
            yield from _mlp(f"{start}mlp.experts.{expert}.", hidden, numbers.expert_width)
        if numbers.shared:
            shared = numbers.shared * numbers.expert_width
            yield from _mlp(f"{start}mlp.shared_experts.", hidden, shared)
    yield "model.norm.weight", (hidden,)
    if not numbers.tied:
        yield "lm_head.weight", (numbers.vocabulary, hidden)


def _mlp(start: str, hidden: int, width: int) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    yield f"{start}gate_proj.weight", (width, hidden)
    yield f"{start}up_proj.weight", (width, hidden)
    yield f"{start}down_proj.weight", (hidden, width)


def _beyond(numbers: _Numbers, unknown: Sequence[str]) -> List[str]:
    """Layers, experts or weights that config.json does not count would silently be left out of the model."""
    layers, experts, others = set(), set(), []
    for name in unknown:
        found = _LAYER.match(name)
        if found and int(found.group(1)) >= numbers.layers:
            layers.add(int(found.group(1)))
        elif found and found.group(2) and int(found.group(2)) >= numbers.experts:
            experts.add(int(found.group(2)))
        elif not is_buffer(name):
            others.append(name)
    problems = []
    if layers:
        problems.append(f"the weights have layer {max(layers)}, config.json only {numbers.layers} layers")
    if experts:
        problems.append(f"the weights have expert {max(experts)}, config.json only {numbers.experts} experts")
    if others:
        problems.append(
            f"the weights have {len(others)} tensors that config.json knows nothing of, such as "
            f"{shown(others[0])}: the model would be computed without them"
        )
    return problems


def is_buffer(name: str) -> bool:
    """Whether a tensor is no weight but what a loader makes itself: the overlay passes over these alone."""
    return name.endswith(".rotary_emb.inv_freq")


def _quantised(tensors: Mapping[str, Held]) -> List[str]:
    """Weights of another kind than real numbers would be taken as if they were such."""
    found = [name for name, held in tensors.items() if not is_buffer(name) and held.dtype not in _REALS]
    if not found:
        return []
    return [f"{len(found)} weights are {tensors[found[0]].dtype}, such as {shown(found[0])}: quantised"]


def _dtypes(config: Mapping[str, object], tensors: Mapping[str, Held]) -> List[str]:
    """MindIE converts while it loads: another element type costs time and memory, not correctness."""
    stated = config.get("torch_dtype") or config.get("dtype")
    wanted = _DTYPES.get(str(stated).replace("torch.", ""))
    others: Dict[str, int] = {}
    for held in tensors.values():
        if wanted and held.dtype != wanted:
            others[held.dtype] = others.get(held.dtype, 0) + 1
    return [f"{count} tensors are {dtype}, config.json says {stated}" for dtype, count in others.items()]
