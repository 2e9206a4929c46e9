"""Finds a model's folder by config.json's model_type, as atb_llm does."""

import importlib
import json
from pathlib import Path


def get_model(model_name_or_path, load_tokenizer=False, tokenizer_path=None):
    """The router of the model in that folder.

    Raises:
        NotImplementedError: no folder has that model_type's name.
    """
    config_dict = json.loads((Path(model_name_or_path) / "config.json").read_text())
    model_type = config_dict["model_type"].lower()
    folders = {path.name for place in __path__ for path in Path(place).iterdir() if path.is_dir()}
    if model_type not in folders - {"base"}:
        raise NotImplementedError(f"unsupported model type: {model_type}")
    module = importlib.import_module(f"atb_llm.models.{model_type}.router_{model_type}")
    router = getattr(module, f"{model_type.capitalize()}Router")
    return router(
        model_name_or_path=str(model_name_or_path),
        config_dict=config_dict,
        load_tokenizer=load_tokenizer,
        tokenizer_path=tokenizer_path,
    )
