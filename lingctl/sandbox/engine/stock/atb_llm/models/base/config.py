"""BaseConfig: config.json as attributes, checked."""

from __future__ import annotations

from typing import Any

_QUANTIZE = ("w8a8", "w8a8s", "w8a8sc", "w8a16", "w4a16", "w8a8_dynamic")


class BaseConfig:
    """Attributes from keyword arguments over class defaults; ``from_dict`` also validates."""

    model_type: str = ""
    max_position_embeddings: int = 0
    vocab_size: int = 0
    quantize: str | None = None
    rope_scaling: Any = None
    quantization_config: Any = None
    generation_config: Any = None
    do_sample: bool = False
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: Any = None
    tie_word_embeddings: bool = True
    torch_dtype: Any = None

    def __init__(self, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """The object of a config.json.

        Raises:
            ValueError: a value out of range.
            NotImplementedError: a kind of quantisation or rope scaling that is not known.
        """
        config_dict.update(kwargs)
        config = cls(**config_dict)
        if "top_k" not in config_dict:
            config.top_k = 1000  # type: ignore[attr-defined]  # as the real one does
        config.validate()
        return config

    def validate(self) -> None:
        """Check what all models share."""
        for name in ("max_position_embeddings", "vocab_size"):
            if getattr(self, name) == 0:
                raise ValueError(f"The parameter `{name}` is not initialized.")
        if self.quantize is not None and self.quantize not in _QUANTIZE:
            raise NotImplementedError(f"`quantize` is only supported for value in {list(_QUANTIZE)}")
