"""The tiny model that services are proved with."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from lingctl.node.prove.arrays import NumpyArrays
from lingctl.node.prove.stored import StoredTensors
from lingctl.sandbox.engine.model.architecture import architecture_of
from tests.engine_node import copied

SHARDS = [f"model-{number:05d}-of-00002.safetensors" for number in (1, 2)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The tiny Ling-lite as arrays and numbers, in a folder without a tokenizer: prompts are given as ids."""
    folder = copied("lite", tmp_path_factory.mktemp("weights") / "lite")
    (folder / "tokenizer.json").unlink()
    stored = StoredTensors(str(folder), SHARDS)
    arrays = NumpyArrays()
    tensors = {
        name: arrays.widen(stored.read(name), place.dtype, place.shape)
        for name, place in stored.places.items()
    }
    stored.close()
    config = json.loads((folder / "config.json").read_text())
    return folder, tensors, architecture_of(SimpleNamespace(**config))
