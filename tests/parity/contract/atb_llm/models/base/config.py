"""Config objects: keys of config.json as attributes, nested ones as objects."""

from types import SimpleNamespace


class BaseConfig:
    """Attributes from keys; absent ones from the class."""

    max_position_embeddings = 0
    vocab_size = 0
    quantize = None
    rope_scaling = None
    quantization_config = None
    generation_config = None
    is_reasoning_model = False
    do_sample = False
    pad_token_id = None

    def __init__(self, **kwargs):
        for key, value in kwargs.items():
            setattr(self, key, value)
        scaling = self.rope_scaling or {}
        self.rope_scaling = SimpleNamespace(**{"factor": 1.0, "type": "linear", **scaling})
        none = dict.fromkeys(("kv_quant_type", "fa_quant_type", "reduce_quant_type"))
        self.quantization_config = SimpleNamespace(
            **{"group_size": 0, **none, **(self.quantization_config or {})}
        )

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        """The object, checked."""
        config_dict.update(kwargs)
        config = cls(**config_dict)
        if "top_k" not in config_dict:
            config.top_k = 1000
        if not config.max_position_embeddings or not config.vocab_size:
            raise ValueError("max_position_embeddings and vocab_size must be set")
        return config
