"""Ling's config.json as stock DeepSeek classes read it; what they cannot compute is refused by name.

Every refusal is a ValueError: the 3.0 model runner answers a TypeError by trying again with other
arguments, and the true message would be lost.
"""

import sys

from atb_llm.models.deepseek.config_deepseek import DeepseekConfig

# Ling's names and the names stock DeepSeek reads.
_EXPERT_KEYS = {"num_experts": "n_routed_experts", "num_shared_experts": "n_shared_experts"}

# Stock DeepSeek has defaults for these, and they are DeepSeek's: a missing key would go unnoticed.
_REQUIRED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "vocab_size",
    "max_position_embeddings",
)

# The reference's defaults where config.json is silent; stock DeepSeek's are others.
_REFERENCE_DEFAULTS = {
    "norm_topk_prob": True,
    "norm_head": False,
    "first_k_dense_replace": 0,
    "moe_layer_freq": 1,
    "hidden_act": "silu",
}

_PLAIN_HEAD = "lm_head and embedding are separate tensors in every Ling model; correct config.json"
_FIRST_GENERATION = (
    "this folder serves the first generation (Ling-lite, Ling-plus); use a later engine for it"
)
_NO_QUANTISATION = "serve the bf16 weights"

# What may be left out or have one of the values given; anything else is refused with the remedy.
_ONLY = (
    ("hidden_act", ("silu",), "every Ling model uses silu; correct config.json"),
    ("torch_dtype", ("bfloat16",), "convert the weights to bf16 and set torch_dtype to bfloat16"),
    ("tie_word_embeddings", (False,), _PLAIN_HEAD),
    ("use_bias", (False,), "the graph is given no biases; every Ling model has none"),
    ("use_qkv_bias", (False,), "the graph is given no biases; every Ling model has none"),
    ("rope_scaling", (), "set it to null; the context is limited to max_position_embeddings"),
    ("quantize", (), _NO_QUANTISATION),
    ("moe_quantize", (), _NO_QUANTISATION),
    ("norm_softmax", (False,), "no Ling model sets it; correct config.json"),
    ("use_sliding_window", (False,), "no Ling model sets it; correct config.json"),
    ("moe_layer_freq", (1,), "every layer after first_k_dense_replace has experts; correct config.json"),
    # The second generation also calls itself bailing_moe.
    ("score_function", ("softmax",), _FIRST_GENERATION),
    ("scoring_func", ("softmax",), _FIRST_GENERATION),
    ("n_group", (0, 1), _FIRST_GENERATION),
    ("topk_group", (0, 1), _FIRST_GENERATION),
    ("topk_method", ("greedy",), _FIRST_GENERATION),
    ("routed_scaling_factor", (1, 1.0), _FIRST_GENERATION),
    ("moe_router_enable_expert_bias", (False,), _FIRST_GENERATION),
    ("use_qk_norm", (False,), _FIRST_GENERATION),
    ("partial_rotary_factor", (1, 1.0), _FIRST_GENERATION),
    ("rotary_dim", (0,), _FIRST_GENERATION),
    ("num_nextn_predict_layers", (0,), _FIRST_GENERATION),
    ("multi_gate", (False,), _FIRST_GENERATION),
)


class Bailing_moeConfig(DeepseekConfig):
    """DeepSeek's config with Ling's values.

    Attributes:
        n_routed_experts: ``num_experts`` of config.json.
        n_shared_experts: ``num_shared_experts`` of config.json.
        head_dim: width of an attention head where config.json states it, else None; the tensors decide.
        norm_head: whether the columns of lm_head are normalised on load.
    """

    model_type = "bailing_moe"
    head_dim = None
    norm_head = False
    # A config without keys is refused, so transformers must not make one to compare with when it prints
    # this one. The second name is that of transformers before 4.48.
    has_no_defaults_at_init = True
    is_composition = True

    def __init__(self, **kwargs):
        values = _with_one_spelling(kwargs)
        _refuse_missing(values)
        _refuse_unsupported(values)
        for key, value in _REFERENCE_DEFAULTS.items():
            if values.get(key) is None:
                values[key] = value
        # 0 and null both mean "not stated"; as a value 0 would fail the stock range check.
        if not values.get("head_dim"):
            values.pop("head_dim", None)
        # Stock computes with it even where no layer is dense.
        if values.get("intermediate_size") is None:
            values["intermediate_size"] = values["moe_intermediate_size"]
        for ours, stock in _EXPERT_KEYS.items():
            values[stock] = values[ours]
        super().__init__(**values)
        self.torch_dtype = _bfloat16()


def _bfloat16():
    """The dtype to load in. Stock sets float16, and has imported torch to say so; else a name will do."""
    torch = sys.modules.get("torch")
    return torch.bfloat16 if torch else "bfloat16"


def _with_one_spelling(kwargs):
    values = dict(kwargs)
    for ours, stock in _EXPERT_KEYS.items():
        if values.get(ours) is None:
            values[ours] = values.get(stock)
        elif values.get(stock) not in (None, values[ours]):
            raise ValueError(
                f"config.json says {ours} {values[ours]} and {stock} {values[stock]}: remove {stock}"
            )
    return values


def _refuse_missing(values):
    for key in _REQUIRED:
        value = values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(
                f"config.json must give {key} as a positive whole number, not {value!r}: take config.json "
                "from the same download as the weights"
            )
    for key in ("rope_theta", "rms_norm_eps"):
        value = values.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise ValueError(
                f"config.json must give {key} as a positive number, not {value!r}: take config.json from the "
                "same download as the weights"
            )


def _refuse_unsupported(values):
    architecture = (values.get("architectures") or ["BailingMoeForCausalLM"])[0]
    if architecture != "BailingMoeForCausalLM":
        raise ValueError(f"architecture {architecture} is not BailingMoeForCausalLM: {_FIRST_GENERATION}")
    for key, allowed, remedy in _ONLY:
        value = values.get(key)
        if value is not None and _plain(value) not in allowed:
            raise ValueError(f"config.json: {key} {value!r} is not supported: {remedy}")
    if any((values.get("quantization_config") or {}).values()):
        raise ValueError(f"config.json: quantization_config is not supported: {_NO_QUANTISATION}")
    _refuse_unsupported_experts(values)
    for key in ("norm_head", "norm_topk_prob"):
        if not isinstance(values.get(key) or False, bool):
            raise ValueError(f"config.json: {key} must be true or false, not {values[key]!r}")


def _refuse_unsupported_experts(values):
    shared, dense = values.get("num_shared_experts"), values.get("first_k_dense_replace") or 0
    if not shared or not isinstance(shared, int):
        # The graph counts 68 tensors a layer; without shared experts stock code would register fewer.
        raise ValueError(
            f"config.json: num_shared_experts {shared!r} is not supported: the ATB graph needs shared "
            "experts; Ling-lite has 2, Ling-plus has 1"
        )
    if values["num_experts_per_tok"] > values["num_experts"]:
        raise ValueError(
            f"config.json: num_experts_per_tok {values['num_experts_per_tok']} exceeds num_experts "
            f"{values['num_experts']}: correct it"
        )
    if values["num_experts_per_tok"] == 1 and values.get("norm_topk_prob") is not False:
        # The reference divides the chosen weights by their sum where there are several; the graph always.
        raise ValueError(
            "config.json: num_experts_per_tok 1 with norm_topk_prob true (its default) is not supported: the "
            "graph would give the one expert a weight of 1; no Ling model chooses a single expert; correct it"
        )
    if not isinstance(dense, int) or not 0 <= dense <= values["num_hidden_layers"]:
        raise ValueError(
            f"config.json: first_k_dense_replace {dense!r} is not a number of layers: correct it"
        )
    if dense and not isinstance(values.get("intermediate_size"), int):
        raise ValueError("config.json: first_k_dense_replace needs intermediate_size: add it")


def _plain(value):
    """A torch dtype as its name."""
    text = str(value)
    return text.split(".", 1)[1] if text.startswith("torch.") else value
