"""Models that are almost the right one, and services that tell almost the truth, none of them in other tests.

Each makes what a service would answer. What may become of it: ``caught`` (exit status 1), ``noticed`` (3: not
proved, and why), or ``noise``: it moves less than bf16 does here, or nothing that was asked, so that no
proof by these answers could tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lingctl.sandbox.engine.model.model import Cache, Model
from lingctl.sandbox.engine.model.placement import share_of, stock_heads
from tests.prove.service import Said

LENGTH, PROMPTS = 12, 5
Tensors = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """How a service comes to its answers."""

    dropped: int = 0  # tokens of the prompt that it never sees
    slip_after: int = 0  # tokens after which the cache slips, by ``slip`` (forward) or loses the first
    slip: int = 0
    temperature: float = 0.0
    penalty: float = 1.0


def answers(tensors: Tensors, shape, way: Way = Way()) -> dict[str, Said]:
    """What it says, with the logits that it tells."""

    class Held:
        def tensor(self, name, wanted=None):
            return tensors[name]

    share = share_of(1, [0], stock_heads(shape.heads, shape.kv_heads, 1))
    engine = Model(Held(), shape, share, lambda part: part)
    random, dice, said = np.random.default_rng(5), np.random.default_rng(1), {}
    for _ in range(PROMPTS):
        prompt = [int(token) for token in random.integers(0, 1000, 9)]
        cache, answer, logits, fed, slipped = Cache(), [], [], prompt[way.dropped :], False
        while len(answer) < LENGTH:
            if way.slip and not slipped and cache.length >= way.slip_after:
                slipped = True
                for kept in (cache.keys, cache.values):
                    kept[:] = [_slipped(rows, way.slip) for rows in kept]
            row = engine.forward([(fed, cache)])[0].copy()
            for token in {*prompt, *answer}:
                row[token] = row[token] / way.penalty if row[token] > 0 else row[token] * way.penalty
            logits.append(row.tolist())
            fed = [_drawn(row, way.temperature, dice)]
            answer += fed
        said[" ".join(map(str, prompt))] = Said(tuple(prompt), tuple(answer), logits)
    return said


def _slipped(rows, slip: int):
    return np.concatenate([*[rows[:1]] * slip, rows]) if slip > 0 else rows[-slip:]


def _drawn(row, temperature: float, dice) -> int:
    if not temperature:
        return int(row.argmax())
    likely = np.exp((row - row.max()) / temperature)
    return int(dice.choice(len(row), p=likely / likely.sum()))


@dataclass(frozen=True)
class Unseen:
    """One of them."""

    name: str
    make: Callable[[Tensors, Any], dict[str, Said]]
    told: str  # with likelihoods: ``caught``, ``noticed`` or ``noise``
    silent: str  # without
    telling: Mapping[str, Any] = field(default_factory=dict)  # of the service


def _of(change: Callable[[Any], Any], *ends: str) -> Callable[[Tensors, Any], dict[str, Said]]:
    """Tensors whose names end so, changed."""

    def make(tensors, shape):
        return answers({n: _same(change(v)) if n.endswith(ends) else v for n, v in tensors.items()}, shape)

    return make


def _same(value):
    return np.ascontiguousarray(value).astype(np.float32)


def _heads(change: Callable[[Any, Any], Any], layer: str = "") -> Callable[[Tensors, Any], dict[str, Said]]:
    """Fused rows of attention, as [heads, head_dim, hidden]."""

    def make(tensors, shape):
        changed = dict(tensors)
        for name, value in tensors.items():
            if name.endswith(f"{layer}attention.query_key_value.weight"):
                rows = value.reshape(shape.heads + 2 * shape.kv_heads, shape.head_dim, shape.hidden).copy()
                changed[name] = _same(change(rows, shape).reshape(value.shape))
        return answers(changed, shape)

    return make


def _shaped(**values: Any) -> Callable[[Tensors, Any], dict[str, Said]]:
    return lambda tensors, shape: answers(tensors, replace(shape, **values))


def _experts(count: int) -> Callable[[Tensors, Any], dict[str, Said]]:
    return lambda tensors, shape: answers(
        tensors, replace(shape, experts_per_token=shape.experts_per_token + count)
    )


def _by(**way: Any) -> Callable[[Tensors, Any], dict[str, Said]]:
    return lambda tensors, shape: answers(tensors, shape, Way(**way))


def _retold(change: Callable[[Said], Said]) -> Callable[[Tensors, Any], dict[str, Said]]:
    """Of the right model, told otherwise."""
    return lambda tensors, shape: {text: change(said) for text, said in answers(tensors, shape).items()}


def _noise(part: float) -> Callable[[Any], Any]:
    dice = np.random.default_rng(3)
    return lambda value: value + part * value.std() * dice.standard_normal(value.shape)


def _bits(bits: int) -> Callable[[Any], Any]:
    def change(value):
        if value.ndim < 2:
            return value
        step = (np.abs(value).max(axis=1, keepdims=True) + 1e-9) / (2 ** (bits - 1) - 1)
        return np.round(value / step) * step

    return change


def _scaled_queries(rows, shape):
    rows[: shape.heads] *= 1.1
    return rows


def _no_first_query(rows, shape):
    rows[0] = 0
    return rows


def _queries_rotated(rows, shape):
    rows[: shape.heads] = np.roll(rows[: shape.heads], 1, axis=0)
    return rows


def _values_turned(rows, shape):
    first = shape.heads + shape.kv_heads
    rows[first:] = rows[first:][::-1].copy()
    return rows


def _layer_twice(tensors, shape):
    second = {n: tensors[n.replace(".layers.1.", ".layers.0.")] for n in tensors if ".layers.1." in n}
    return answers({**tensors, **second}, shape)


def _tied(tensors, shape):
    return answers({**tensors, "lm_head.weight": tensors["model.word_embeddings.weight"]}, shape)


def _two_words_exchanged(tensors, shape):
    said = next(iter(answers(tensors, shape).values())).answer
    head = tensors["lm_head.weight"].copy()
    other = next(token for token in said if token != said[0])
    head[[said[0], other]] = head[[other, said[0]]]
    return answers({**tensors, "lm_head.weight": head}, shape)


def _canned(tensors, shape):
    right = answers(tensors, shape)
    first = next(iter(right.values())).answer
    return {text: Said(said.prompt, first, said.logits) for text, said in right.items()}


def _of_another_prompt(tensors, shape):
    right = list(answers(tensors, shape).items())
    turned = [*right[1:], right[0]]
    return {
        text: Said(said.prompt, other.answer, other.logits)
        for (text, said), (_, other) in zip(right, turned, strict=True)
    }


def _shards(tensors: Tensors) -> Iterator[str]:
    """Half of the tensors, as a shard holds them."""
    names = sorted(tensors)
    yield from names[len(names) // 2 :]


def _old_shard(tensors, shape):
    old = _noise(0.1)
    second = set(_shards(tensors))
    return answers({n: _same(old(v)) if n in second else v for n, v in tensors.items()}, shape)


def _other_model(tensors, shape):
    other = _noise(5.0)
    return answers({n: _same(other(v)) if v.ndim > 1 else v for n, v in tensors.items()}, shape)


_MATRICES = ("_proj.weight", "dense.weight", "query_key_value.weight", "gate.weight")
_LAST = ".layers.1."
CAUGHT, NOTICED, NOISE = "caught", "noticed", "noise"
UNSEEN: tuple[Unseen, ...] = (
    Unseen("a layer's norm x 1.05", _of(lambda v: v * 1.05, ".0.input_layernorm.weight"), CAUGHT, CAUGHT),
    Unseen(
        "the other norm of a layer x 1.05",
        _of(lambda v: v * 1.05, ".1.post_attention_layernorm.weight"),
        CAUGHT,
        NOISE,
    ),
    Unseen("the last norm x 1.05", _of(lambda v: v * 1.05, "model.norm.weight"), CAUGHT, NOISE),
    Unseen("the last norm x 1.005", _of(lambda v: v * 1.005, "model.norm.weight"), NOISE, NOISE),
    Unseen(
        "a layer without attention", _of(lambda v: v * 0, f"{_LAST}attention.dense.weight"), CAUGHT, CAUGHT
    ),
    Unseen("one query head lost", _heads(_no_first_query, ".0."), CAUGHT, CAUGHT),
    Unseen("query heads rotated by one", _heads(_queries_rotated), CAUGHT, CAUGHT),
    Unseen("queries x 1.1", _heads(_scaled_queries), CAUGHT, NOISE),
    Unseen("value heads turned round in a layer", _heads(_values_turned, ".1."), CAUGHT, CAUGHT),
    Unseen(
        "an expert lost that no answer uses",
        _of(lambda v: v * 0, *(f"{_LAST}mlp.experts.0.{p}_proj.weight" for p in ("gate", "up", "down"))),
        NOISE,
        NOISE,
    ),
    Unseen(
        "router rows rolled in a layer", _of(lambda v: np.roll(v, 1, 0), ".0.mlp.gate.weight"), CAUGHT, CAUGHT
    ),
    Unseen("router x 2", _of(lambda v: v * 2, ".mlp.gate.weight"), CAUGHT, CAUGHT),
    Unseen("router of a layer x 0.9", _of(lambda v: v * 0.9, ".0.mlp.gate.weight"), NOISE, NOISE),
    Unseen("rope base 500,000 for 600,000", _shaped(theta=500_000.0), NOISE, NOISE),
    Unseen("rope base 1,000,000", _shaped(theta=1e6), CAUGHT, NOISE),
    Unseen("one expert more for each token", _experts(1), NOTICED, NOTICED),
    Unseen("one expert less for each token", _experts(-1), CAUGHT, NOTICED),
    Unseen(
        "shared experts of a layer dropped",
        _of(lambda v: v * 0, f"{_LAST}mlp.shared_experts.down_proj.weight"),
        CAUGHT,
        CAUGHT,
    ),
    Unseen("shared experts dropped", _of(lambda v: v * 0, "shared_experts.down_proj.weight"), CAUGHT, CAUGHT),
    Unseen("shared experts twice", _of(lambda v: v * 2, "shared_experts.down_proj.weight"), CAUGHT, CAUGHT),
    Unseen("a layer in place of another", _layer_twice, CAUGHT, CAUGHT),
    Unseen("embedding as head", _tied, CAUGHT, CAUGHT),
    Unseen("two words exchanged in the head", _two_words_exchanged, CAUGHT, CAUGHT),
    Unseen(
        "embedding rows rolled",
        _of(lambda v: np.roll(v, 1, 0), "word_embeddings.weight"),
        CAUGHT,
        CAUGHT,
    ),
    Unseen("a shard of an earlier step (10 % off)", _old_shard, CAUGHT, CAUGHT),
    Unseen(
        "one tensor of another step (5 % off)",
        _of(_noise(0.05), f"{_LAST}attention.dense.weight"),
        NOISE,
        NOISE,
    ),
    Unseen("another model of the same shape", _other_model, CAUGHT, CAUGHT),
    Unseen("weights in 8 bits", _of(_bits(8), *_MATRICES), NOTICED, NOISE),
    Unseen("weights in 4 bits", _of(_bits(4), *_MATRICES), CAUGHT, CAUGHT),
    Unseen("weights rounded to fp16", _of(lambda v: v.astype(np.float16), ".weight"), NOISE, NOISE),
    Unseen("epsilon 1e-5 for 1e-6", _shaped(epsilon=1e-5), NOISE, NOISE),
    Unseen("cache slips by one after 12 tokens", _by(slip=1, slip_after=12), CAUGHT, CAUGHT),
    Unseen("cache loses its first two after 12", _by(slip=-2, slip_after=12), CAUGHT, CAUGHT),
    Unseen("first token of the prompt lost", _by(dropped=1), CAUGHT, CAUGHT),
    Unseen("context cut to its last 5", _by(dropped=4), CAUGHT, CAUGHT),
    Unseen("sampling left on", _by(temperature=1.0), CAUGHT, NOISE),
    Unseen("a penalty of repetition, 1.3", _by(penalty=1.3), CAUGHT, NOISE),
    Unseen("the same text for every prompt", _canned, CAUGHT, CAUGHT),
    Unseen("the answer of another prompt", _of_another_prompt, CAUGHT, CAUGHT),
    Unseen(
        "likelihoods one place late",
        _retold(lambda said: replace(said, logits=[said.logits[0], *said.logits[:-1]])),
        CAUGHT,
        NOISE,
    ),
    Unseen(
        "likelihoods at temperature 0.8",
        _retold(lambda said: replace(said, logits=[[one / 0.8 for one in row] for row in said.logits])),
        CAUGHT,
        NOISE,
    ),
    Unseen(
        "likelihoods all the same",
        _retold(lambda said: replace(said, logits=[[0.0] * len(row) for row in said.logits])),
        CAUGHT,
        NOISE,
    ),
    Unseen(
        "one wrong word in each answer",
        _retold(lambda said: replace(said, answer=(*said.answer[:4], said.answer[4] ^ 1, *said.answer[5:]))),
        CAUGHT,
        CAUGHT,
    ),
    Unseen(
        "ends at another token than the model's",
        _retold(lambda said: replace(said, answer=said.answer[:6], logits=said.logits[:6])),
        CAUGHT,
        CAUGHT,
        {"finish": "stop"},
    ),
    Unseen(
        "answers cut to six tokens",
        _retold(lambda said: replace(said, answer=said.answer[:6], logits=said.logits[:6])),
        NOTICED,
        NOTICED,
    ),
    Unseen("nothing said", _retold(lambda said: replace(said, answer=(), logits=())), NOTICED, NOTICED),
)
