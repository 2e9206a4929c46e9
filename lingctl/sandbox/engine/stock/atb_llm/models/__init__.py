"""The loader: finds the folder of a model_type and makes its router.

The rule is the documented one of atb_llm 1.0.0 and 3.0.0: folders beside this file are the supported
models, ``router_<model_type>`` is imported and ``<model_type.capitalize()>Router`` taken.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from ..utils import file_utils


def get_model(
    model_name_or_path: str,
    is_flash_causal_lm: bool = True,
    load_tokenizer: bool = True,
    max_position_embeddings: int | None = None,
    revision: str | None = None,
    tokenizer_path: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """The router of a weights folder.

    Raises:
        NotImplementedError: no folder for its model_type.
    """
    file_utils.check_path_permission(model_name_or_path)
    config_path = Path(model_name_or_path) / "config.json"
    with file_utils.safe_open(str(config_path)) as file:
        config = json.load(file)
    model_type = config["model_type"].lower()
    config["model_type"] = model_type
    if model_type not in _supported():
        raise NotImplementedError(f"unsupported model type: {model_type}")
    module = importlib.import_module(f"atb_llm.models.{model_type}.router_{model_type}")
    router_class = getattr(module, f"{model_type.capitalize()}Router")
    return router_class(
        model_name_or_path,
        config,
        is_flash_causal_lm,
        load_tokenizer,
        max_position_embeddings,
        revision,
        tokenizer_path,
        trust_remote_code,
    )


def _supported() -> list[str]:
    folders = [entry.name for entry in Path(__file__).parent.iterdir() if entry.is_dir()]
    return [name for name in folders if name != "base" and not name.startswith("_")]
