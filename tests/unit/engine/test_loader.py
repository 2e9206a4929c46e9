"""What the overlay refuses of a checkpoint the emulated engine refuses too: it asks the overlay itself."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from lingctl.sandbox import engine
from lingctl.sandbox.engine.model.loader import load_model, route
from lingctl.sandbox.engine.model.weights import LoadError
from lingctl.sandbox.engine.tiny_models.checkpoint import SIZES
from tests.engine_node import tiny

OVERLAY = Path(__file__).resolve().parents[3] / "atb_patches" / "bailing_moe"
STOCK = Path(engine.__file__).parent / "stock" / "atb_llm"


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a tiny model with changes of its config.json."""
    site = tmp_path / "site"
    shutil.copytree(STOCK, site / "atb_llm")
    shutil.copytree(OVERLAY, site / "atb_llm" / "models" / "bailing_moe")
    monkeypatch.setenv("ATB_SPEED_HOME_PATH", str(site / "atb_llm"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "atb_llm"}

    def load(name, **changes):
        folder = tmp_path / "model"
        shutil.copytree(tiny(name), folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        for path in (folder, *folder.iterdir()):
            path.chmod(0o750 if path.is_dir() else 0o640)
        return load_model(folder, route(folder, "3.0.0"), 1, [0], lambda x: x, "3.0.0")

    yield load
    for name in [name for name in sys.modules if name.split(".")[0] == "atb_llm"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("name", SIZES)
def test_a_whole_checkpoint_is_loaded(load, name):
    assert load(name).shape.layers == SIZES[name].layers


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_hidden_layers": 1}, "num_hidden_layers 1, the checkpoint has 2 layers"),
        ({"num_experts": 8}, "num_experts 8, the checkpoint has 64 experts in layer 0"),
        ({"num_experts_per_tok": 1}, "num_experts_per_tok 1 with norm_topk_prob true"),
        ({"moe_intermediate_size": 8}, "moe_intermediate_size 8, and model.layers.0.mlp.experts.0"),
    ],
)
def test_a_config_of_another_model_is_refused_by_name(load, changes, words):
    with pytest.raises(LoadError, match="ValueError") as caught:
        load("lite", **changes)
    assert words in str(caught.value)
