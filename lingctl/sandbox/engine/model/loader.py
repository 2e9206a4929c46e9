"""Goes through the container's atb_llm as a worker does: router, config object, placement of heads."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lingctl.sandbox.engine.model.architecture import Architecture, architecture_of
from lingctl.sandbox.engine.model.model import Model, Reduce
from lingctl.sandbox.engine.model.placement import RankHeads, share_of, stock_heads
from lingctl.sandbox.engine.model.text import own_template
from lingctl.sandbox.engine.model.weights import Checkpoint, LoadError
from lingctl.sandbox.engine.settings.file_rules import weights_fault


@dataclass(frozen=True, slots=True)
class Routed:
    """A model type that the container's atb_llm knows."""

    config: Any  # the config object of the model folder
    layout: Any  # the folder's own placement module, None where it has none
    contents: Any  # its module that compares a checkpoint with config.json, None where it has none
    template: str | None  # the chat template that the folder's input builder settles on, None for none


def atb_parent(version: str) -> Path:
    """The folder on PYTHONPATH that holds atb_llm.

    Raises:
        LoadError: the environment does not lead to it.
    """
    home = Path(os.environ.get("ATB_SPEED_HOME_PATH", "/nonexistent"))
    candidates = (home.parent, home) if version == "3.0.0" else (home,)
    for folder in candidates:
        if (folder / "atb_llm/models").is_dir():
            return folder
    text = "Failed to get vocab size from tokenizer wrapper with exception:"
    raise LoadError(f"{text} ModuleNotFoundError: No module named 'atb_llm'")


def route(folder: Path, version: str) -> Routed:
    """Find the model's folder in atb_llm by the documented rule and make its config.

    Raises:
        LoadError: what the worker's log would say.
    """
    sys.path.insert(0, str(atb_parent(version)))
    sys.dont_write_bytecode = True
    try:
        models = importlib.import_module("atb_llm.models")
        router = models.get_model(str(folder), load_tokenizer=False)
        config = router.config
        # The tokenizer as far as an input builder looks at it; the engine has the rest in text.py.
        router._tokenizer = SimpleNamespace(chat_template=own_template(folder))
        template = router.input_builder.tokenizer.chat_template
    except Exception as error:  # anything that foreign model code raises ends a worker
        raise LoadError(f"{type(error).__name__}: {error}") from error
    package = type(router).__module__.rpartition(".")[0]
    return Routed(config, _module(f"{package}.layout"), _module(f"{package}.contents"), template)


def _module(name: str) -> Any:
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def load_model(
    folder: Path, routed: Routed, world: int, ranks: Sequence[int], reduce: Reduce, version: str
) -> Model:
    """Load the given ranks' shares.

    Raises:
        LoadError: what the worker's log would say.
    """
    for path in (folder, *sorted(folder.glob("*.safetensors"))):
        fault = weights_fault(path, version)
        if fault:
            raise LoadError(fault)
    checkpoint = Checkpoint(folder)
    try:
        shape = _architecture(routed, checkpoint)
        if routed.contents is not None:
            routed.contents.refuse_other_contents(routed.config, checkpoint.names(), checkpoint.shape)
        heads = _heads(routed, shape, world)
        return Model(checkpoint, shape, share_of(world, ranks, heads), reduce)
    except LoadError:
        raise
    except Exception as error:  # foreign layout code may raise anything
        raise LoadError(f"{type(error).__name__}: {error}") from error


def _architecture(routed: Routed, checkpoint: Checkpoint) -> Architecture:
    config, layout = routed.config, routed.layout
    if int(getattr(config, "first_k_dense_replace", 0) or 0):
        raise LoadError("ValueError: first_k_dense_replace is not served by this engine")
    if layout is None or not hasattr(layout, "head_width"):
        return architecture_of(config)
    prefix = "model.layers.0.attention"
    packed = checkpoint.shape(f"{prefix}.query_key_value.weight")
    dense = checkpoint.shape(f"{prefix}.dense.weight")
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    stated = getattr(config, "head_dim", None)
    width = layout.head_width(packed[0], dense[1], heads, kv_heads, stated)
    return architecture_of(config, width)


def _heads(routed: Routed, shape: Architecture, world: int) -> list[RankHeads]:
    if routed.layout is None or not hasattr(routed.layout, "place_heads"):
        return stock_heads(shape.heads, shape.kv_heads, world)
    placed = routed.layout.place_heads(shape.heads, shape.kv_heads, world)
    return [RankHeads(tuple(rank.query), tuple(rank.kv)) for rank in placed]
