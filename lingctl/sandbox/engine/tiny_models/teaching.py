"""Random bodies, and heads solved by ridge regression so that the model says what it was taught."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lingctl.sandbox.engine.model.architecture import Architecture
from lingctl.sandbox.engine.model.bfloat16 import Floats, rounded
from lingctl.sandbox.engine.model.model import Cache, Model
from lingctl.sandbox.engine.model.placement import share_of, stock_heads
from lingctl.sandbox.engine.model.weights import LoadError
from lingctl.sandbox.engine.tiny_models.mistakes import MISTAKES

Lesson = tuple[list[int], list[int]]

_CONFIDENCE = 14.0
_RIDGE = 1e-5
_APART = 0.02


class _InMemory:
    """The reading side of a Checkpoint, over arrays."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._tensors = tensors

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> Floats:
        """The tensor, which must have the shape."""
        value = self._tensors[name]
        if shape is not None and value.shape != shape:
            raise LoadError(f"{name}: {value.shape} is not {shape}")
        return value


def body(shape: Architecture, seed: int) -> dict[str, Floats]:
    """All tensors but the head and the final norm, random, on the bfloat16 grid."""
    random = np.random.default_rng(seed)
    hidden, width = shape.hidden, shape.expert_width
    rows = (shape.heads + 2 * shape.kv_heads) * shape.head_dim

    def matrix(out: int, into: int, gain: float = 1.0) -> Floats:
        values = random.standard_normal((out, into), dtype=np.float32)
        return rounded(values * np.float32(gain / np.sqrt(into)))

    def norm() -> Floats:
        return rounded(random.uniform(0.5, 1.5, hidden).astype(np.float32))

    tensors = {"model.word_embeddings.weight": matrix(shape.vocabulary, hidden, float(np.sqrt(hidden)))}
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        tensors[f"{prefix}input_layernorm.weight"] = norm()
        tensors[f"{prefix}attention.query_key_value.weight"] = matrix(rows, hidden, 1.3)
        tensors[f"{prefix}attention.dense.weight"] = matrix(hidden, shape.heads * shape.head_dim, 1.5)
        tensors[f"{prefix}post_attention_layernorm.weight"] = norm()
        tensors[f"{prefix}mlp.gate.weight"] = matrix(shape.experts, hidden, 2.0)
        for expert in range(shape.experts):
            for name, value in _swiglu(matrix, hidden, width).items():
                tensors[f"{prefix}mlp.experts.{expert}.{name}.weight"] = value
        for name, value in _swiglu(matrix, hidden, width * shape.shared_experts).items():
            tensors[f"{prefix}mlp.shared_experts.{name}.weight"] = value
    return tensors


def taught_head(
    shape: Architecture,
    tensors: Mapping[str, Floats],
    taught: Sequence[Lesson],
    spoilt: Sequence[Lesson],
    rubbish: Sequence[int],
    seed: int,
) -> dict[str, Floats]:
    """``model.norm.weight`` and ``lm_head.weight`` that make greedy decoding give the lessons' answers.

    The solved map is factored into the norm's weight and unit head columns; the columns are then stretched by
    factors between 1/4 and 4 that the engine must take out again (norm_head).

    Args:
        shape: of the model.
        tensors: its body.
        taught: prompts and answers, as tokens.
        spoilt: those of them whose answers known mistakes turn into rubbish; without that, most mistakes
            would change no answer. All together must be fewer than ``hidden``.
        rubbish: tokens that nobody takes for an answer.
        seed: of the stretch and the rubbish.
    """
    hidden, vocabulary = shape.hidden, shape.vocabulary
    random = np.random.default_rng(seed + 1)
    stretch = np.exp2(random.uniform(-2, 2, hidden)).astype(np.float32)
    right, wanted = _states(tensors, shape, taught)
    first = [(prompt, answer[:1]) for prompt, answer in spoilt]
    starts, _ = _states(tensors, shape, first)
    wrong = [starts * stretch]
    for mistake in MISTAKES:
        states, _ = _states(*mistake(tensors, shape), first)
        # Not every mistake changes every state: a single token has no positions to get wrong.
        apart = np.linalg.norm(states - starts, axis=1) > _APART * np.linalg.norm(starts, axis=1)
        wrong.append(states[apart])
    said = random.choice(rubbish, sum(map(len, wrong)))
    x = np.concatenate([right, *wrong]).astype(np.float64)
    tokens = np.concatenate([wanted, said])
    target = np.zeros((len(tokens), vocabulary))
    target[np.arange(len(tokens)), tokens] = _CONFIDENCE
    gram = x @ x.T
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    solved = x.T @ np.linalg.solve(gram, target)
    lengths = np.linalg.norm(solved, axis=1)
    norm = rounded(lengths.astype(np.float32))
    head = rounded((solved / lengths[:, None] * stretch[:, None]).T.astype(np.float32))
    return {"model.norm.weight": norm, "lm_head.weight": head}


def _states(
    tensors: Mapping[str, Floats], shape: Architecture, taught: Sequence[Lesson]
) -> tuple[Floats, list[int]]:
    """Normalised hidden states before every answer token, and those tokens."""
    everything = {
        **tensors,
        "model.norm.weight": np.ones(shape.hidden, dtype=np.float32),
        "lm_head.weight": np.ones((shape.vocabulary, shape.hidden), dtype=np.float32),
    }
    share = share_of(1, [0], stock_heads(shape.heads, shape.kv_heads, 1))
    model = Model(_InMemory(everything), shape, share, lambda x: x)
    batch = [([*prompt, *answer[:-1]], Cache()) for prompt, answer in taught]
    every = model.hidden(batch, every=True)
    states, start = [], 0
    for (prompt, _), (tokens, _) in zip(taught, batch, strict=True):
        states.append(every[start + len(prompt) - 1 : start + len(tokens)])
        start += len(tokens)
    return np.concatenate(states), [token for _, answer in taught for token in answer]


def _swiglu(matrix: Callable[[int, int, float], Floats], hidden: int, width: int) -> dict[str, Floats]:
    return {
        "gate_proj": matrix(width, hidden, 1.5),
        "up_proj": matrix(width, hidden, 1.5),
        "down_proj": matrix(hidden, width, 1.5),
    }
