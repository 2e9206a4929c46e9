"""What names tell of files beside weights: adapters, states of trainings, copies, downloads. Pure.

Sources of the names: transformers and accelerate (weights, indexes, training states), peft (adapters), the
hubs' clients (unfinished downloads), Meta's and Mistral's releases (consolidated copies), macOS (``._*``).
"""

from __future__ import annotations

import re
from typing import Tuple

# Names of weights, whoever wrote them.
WEIGHTS = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".h5",
    ".msgpack",
    ".gguf",
    ".onnx",
    ".npz",
)
# What goes along with them: text, or a tokenizer.
TEXTS = (".json", ".py", ".model", ".txt", ".jinja")

ADAPTER = "an adapter (PEFT, LoRA): it changes a model and is none"
COMPANION = "a companion file of macOS (AppleDouble)"
_UNFINISHED = "a download that was not finished"
_TRAINING = "a state of a training, no weights"
_ORIGINAL = "a copy in its publisher's own layout"
_ANOTHER_FORMAT = "another format"

# The first that fits a name decides.
_REASONS: Tuple[Tuple["re.Pattern[str]", str], ...] = (
    (re.compile(r"^\._(?!_{3,}temp$)"), COMPANION),
    (re.compile(r"\.(?:incomplete|part|partial|aria2|crdownload|tmp|download|parallel_tmp)$"), _UNFINISHED),
    (re.compile(r"^\.(?:cache|download|huggingface|_{4,}temp)$"), "of a hub's client"),
    (re.compile(r"^adapter_(?:model.*|config\.json)$"), ADAPTER),
    (re.compile(r"^(?:optimizer|scheduler|scaler|training_args|random_states|rng_state)"), _TRAINING),
    (re.compile(r"_states\.pt$|^global_step\d+$"), _TRAINING),
    (re.compile(r"^(?:consolidated[-_.0-9a-z]*\.(?:safetensors|pth|pt|bin)|original)$"), _ORIGINAL),
    (re.compile(r"\.(?:gguf|h5|msgpack|onnx|ckpt|pth|pt|pkl|npz)$"), _ANOTHER_FORMAT),
)


def reason_aside(name: str) -> str:
    """Why a file of that name is none of the weights; empty where its name does not say so."""
    return next((reason for pattern, reason in _REASONS if pattern.search(name)), "")
