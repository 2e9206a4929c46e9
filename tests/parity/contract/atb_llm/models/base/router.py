"""The base of all routers: everything by name, computed when first asked for."""

import importlib
from dataclasses import dataclass
from typing import Any

from .input_builder import InputBuilder


@dataclass
class BaseRouter:
    """Config, model class and prompts of one model folder."""

    model_name_or_path: str = ""
    config_dict: Any = None
    load_tokenizer: bool = True
    tokenizer_path: Any = None
    max_position_embeddings: Any = None
    _config: Any = None
    _tokenizer: Any = None

    def __post_init__(self):
        self.model_type = self.config_dict["model_type"]
        self.model_type_cap = self.model_type.capitalize()

    @property
    def config(self):
        """The config object."""
        if self._config is None:
            self._config = self.get_config()
            if self.max_position_embeddings is not None:
                self._config.max_position_embeddings = self.max_position_embeddings
        return self._config

    @property
    def tokenizer(self):
        """The tokenizer."""
        return self._tokenizer

    @property
    def input_builder(self):
        """The builder of prompts."""
        return self.get_input_builder()

    @property
    def model_cls(self):
        """The causal class, by name."""
        module = importlib.import_module(f"atb_llm.models.{self.model_type}.flash_causal_{self.model_type}")
        return getattr(module, f"Flash{self.model_type_cap}ForCausalLM")

    def get_config(self):
        """The config object; every model's router has its own."""
        raise NotImplementedError

    def get_input_builder(self):
        """The stock builder."""
        return InputBuilder(self.tokenizer, max_length=self.config.max_position_embeddings)

    @staticmethod
    def check_config(config):
        """Ranges of values."""
        ranges = {
            "vocab_size": (1, 2**31 - 1),
            "hidden_size": (1, 2**31 - 1),
            "num_hidden_layers": (1, 1000),
            "num_attention_heads": (1, 10000),
            "num_key_value_heads": (1, 10000),
            "head_dim": (1, 1000),
            "rms_norm_eps": (0, 1),
            "top_k": (-1, config.vocab_size),
            "pad_token_id": (-1, config.vocab_size),
        }
        for key, (least, most) in ranges.items():
            value = getattr(config, key, None)
            if value is not None and not least <= value <= most:
                raise ValueError(f"self._config.{key} must be between {least} and {most}")
