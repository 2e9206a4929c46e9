"""What lingctl tells vLLM for a longer context computes as Transformers with the model's own code does.

Needs the real vLLM, an environment with Transformers, and Ling's published code:
``LINGCTL_VLLM=DIR make quick-start LING=DIR``. Two minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from lingctl.sandbox.engine.tiny_models.lessons import lessons
from lingctl.vllm.long_context import stretch_of, stretch_words
from lingctl.vllm.profile import vllm_profile_for
from tests.parity.test_quick_start import PYTHON, interpreter
from tests.parity.test_quick_start import model as published_model
from tests.parity.yarn_scripts import TRANSFORMERS, VLLM
from tests.unit.vllm.samples import vllm_cluster

ENVIRONMENT = "LINGCTL_VLLM"
# A tiny window, so that prompts of some hundred tokens lie far beyond it.
WINDOW, FACTOR = 128, 4
assert published_model, "the fixture"


def vllm_python() -> str:
    named = os.environ.get(ENVIRONMENT)
    if not named:
        pytest.skip(f"{ENVIRONMENT} names no environment with the real vLLM")
    return str(Path(named).absolute() / "bin/python")


def asked_of(python: str, script: str, given: dict[str, Any], folder: Path) -> list[list[int]]:
    path = folder / "script.py"
    path.write_text(script)
    home = {"HF_HOME": str(folder / "cache"), "VLLM_CACHE_ROOT": str(folder / "vllm"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [python, path],
        input=json.dumps(given),
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        timeout=480,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def told(config: dict[str, Any], tokens: int) -> dict[str, Any]:
    """What is rendered for a cluster whose model has this config.json."""
    cluster = vllm_cluster(engine={"name": "vllm", "version": "0.32.0"}, serving={"max_seq_len": tokens})
    words = stretch_words(stretch_of(cluster, config), vllm_profile_for("0.32.0"))
    return json.loads(words[1])


def test_every_argmax_is_that_of_transformers(published_model: Path, tmp_path: Path):
    other, vllm = interpreter(PYTHON), vllm_python()
    config = json.loads((published_model / "config.json").read_text())
    # The head is no part of it: vLLM normalises it with bf16 numbers, which turns near ties.
    config |= {"max_position_embeddings": WINDOW, "norm_head": False}
    (published_model / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer.from_file(str(published_model / "tokenizer.json"))
    text = "".join(prompt + answer for prompt, answer in lessons())
    tokens = tokenizer.encode(text).ids
    prompts = [tokens[at : at + WINDOW * FACTOR - 12] for at in range(0, 3 * 37, 37)]
    assert min(map(len, prompts)) > 3 * WINDOW
    given = {"model": str(published_model), "prompts": prompts}
    scaling = {"type": "yarn", "factor": float(FACTOR), "original_max_position_embeddings": WINDOW}
    wanted = asked_of(other, TRANSFORMERS, {**given, "rope_scaling": scaling}, tmp_path)
    overrides = told(config, WINDOW * FACTOR)
    request = {**given, "max_model_len": WINDOW * FACTOR, "overrides": overrides}
    found = asked_of(vllm, VLLM, request, tmp_path)
    pairs = [pair for one, two in zip(wanted, found, strict=True) for pair in zip(one, two, strict=True)]
    same = sum(one == two for one, two in pairs)
    assert len(pairs) > 1000 and same == len(pairs), f"{same} of {len(pairs)}"

    # The measure can tell: without the base of the rotary embedding nothing is said, and it is another model.
    del overrides["rope_parameters"]["rope_theta"]
    wrong = asked_of(vllm, VLLM, {**request, "overrides": overrides}, tmp_path)
    pairs = [pair for one, two in zip(wanted, wrong, strict=True) for pair in zip(one, two, strict=True)]
    assert sum(one == two for one, two in pairs) / len(pairs) < 0.9
