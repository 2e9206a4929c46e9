"""BaseRouter: from a config dictionary to a config object, an input builder and a model class."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .input_builder import InputBuilder

_BIG = 2147483647


@dataclass
class BaseRouter:
    """Finds the parts of a model by its model_type; a model folder subclasses it."""

    model_name_or_path: str = ""
    config_dict: Any = None
    is_flash_causal_lm: bool = True
    load_tokenizer: bool = True
    max_position_embeddings: int | None = None
    revision: str | None = None
    tokenizer_path: str | None = None
    trust_remote_code: bool = False
    _config: Any = None
    _generation_config: Any = None
    _input_builder: Any = None
    _model_cls: Any = None
    _tokenizer: Any = None

    def __post_init__(self) -> None:
        self.model_type = self.config_dict["model_type"]
        self.model_type_cap = self.model_type.capitalize()
        if not self.tokenizer_path:
            self.tokenizer_path = self.model_name_or_path

    @property
    def config(self) -> Any:
        """The config object; generation_config.json is merged over config.json first."""
        if self._config is None:
            self.config_dict.update(self.generation_config)
            self.config_dict["generation_config"] = self.generation_config
            self._config = self.get_config()
            if not hasattr(self._config, "quantize"):
                self._config.quantize = None
            if self.max_position_embeddings is not None:
                self._config.max_position_embeddings = self.max_position_embeddings
        return self._config

    @property
    def generation_config(self) -> dict[str, Any]:
        """generation_config.json, empty if there is none."""
        if self._generation_config is None:
            self._generation_config = self.get_generation_config()
        return dict(self._generation_config)

    @property
    def input_builder(self) -> Any:
        """The builder of prompts."""
        if self._input_builder is None:
            self._input_builder = self.get_input_builder()
        return self._input_builder

    @property
    def model_cls(self) -> Any:
        """The class of the causal model; importing it needs torch."""
        if self._model_cls is None:
            self._model_cls = self.get_model_cls()
        return self._model_cls

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, None without ``load_tokenizer``."""
        if self._tokenizer is None and self.load_tokenizer:
            self._tokenizer = self.get_tokenizer()
        return self._tokenizer

    @staticmethod
    def check_config(config: Any) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field and its range.
        """
        vocabulary = getattr(config, "vocab_size", 0)
        ranges = {
            "vocab_size": (1, _BIG),
            "max_position_embeddings": (1, _BIG),
            "hidden_size": (1, _BIG),
            "intermediate_size": (1, _BIG),
            "num_hidden_layers": (1, 1000),
            "num_attention_heads": (1, 10000),
            "num_key_value_heads": (1, 10000),
            "head_dim": (1, 1000),
            "initializer_range": (0, _BIG),
            "rms_norm_eps": (0, 1),
            "pad_token_id": (-1, vocabulary),
            "bos_token_id": (0, vocabulary - 1),
            "temperature": (0, 2),
            "top_k": (-1, vocabulary),
            "top_p": (0, 1),
            "repetition_penalty": (0, 2),
        }
        for name, (low, high) in ranges.items():
            value = getattr(config, name, None)
            if value is not None:
                _check(name, value, low, high)
        eos = getattr(config, "eos_token_id", None)
        for token in eos if isinstance(eos, list) else [eos]:
            if not isinstance(token, int):
                raise ValueError("eos_token_id must be Union[int, List[Union[int, List[int]]]].")
            _check("eos_token_id", token, 0, vocabulary - 1)
        if not isinstance(getattr(config, "do_sample", None), bool):
            raise ValueError("do_sample must be bool.")

    def get_config(self) -> Any:
        """Make and check the config object of this model_type."""
        config = self.get_config_cls().from_dict(self.config_dict)
        self.check_config(config)
        return config

    def get_generation_config(self) -> dict[str, Any]:
        """Read generation_config.json if it is there."""
        path = Path(self.model_name_or_path) / "generation_config.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def get_config_cls(self) -> Any:
        """The class ``<Model_type>Config`` of ``config_<model_type>``."""
        return self._part(f"config_{self.model_type}", f"{self.model_type_cap}Config")

    def get_model_cls(self) -> Any:
        """The class ``Flash<Model_type>ForCausalLM`` of ``flash_causal_<model_type>``."""
        return self._part(f"flash_causal_{self.model_type}", f"Flash{self.model_type_cap}ForCausalLM")

    def get_input_builder(self) -> Any:
        """A plain builder."""
        return InputBuilder(self.tokenizer)

    def get_tokenizer(self) -> Any:
        """The checkpoint's own tokenizer."""
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(Path(str(self.tokenizer_path)) / "tokenizer.json"))

    def _part(self, file: str, name: str) -> Any:
        module = importlib.import_module(f"atb_llm.models.{self.model_type}.{file}")
        return getattr(module, name)


def _check(name: str, value: float, low: float, high: float) -> None:
    if value < low or value > high:
        raise ValueError(f"self._config.{name} must be between {low} and {high}")
