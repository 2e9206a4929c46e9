"""What the overlay would compute wrongly whatever the tensors are, by config.json alone. Pure.

It has one graph, and refuses these when it loads: told before that, they cost no download and no start.
"""

from __future__ import annotations

import json
from typing import Dict, List, Mapping, Tuple

from lingctl.node.trouble import shown

# Values that the overlay computes; it refuses others when it loads. Source: its own refusals
# (atb_patches/bailing_moe/config_bailing_moe.py).
_ONLY: Dict[str, Tuple[object, ...]] = {
    "tie_word_embeddings": (False,),
    "use_bias": (False,),
    "use_qkv_bias": (False,),
    "hidden_act": ("silu",),
    "norm_softmax": (False,),
    "score_function": ("softmax",),
    "n_group": (1, 0),
    "topk_group": (1, 0),
}


def not_computed(config: Mapping[str, object], experts: int, each_token: int) -> List[str]:
    """What would be served wrongly, whatever the tensors: the overlay has no other graph."""
    problems = []
    if each_token == 1 and config.get("norm_topk_prob") is not False:
        said = as_json(config["norm_topk_prob"]) if "norm_topk_prob" in config else "true, as it is left out"
        problems.append(
            "config.json asks for one expert a token with norm_topk_prob "
            f"({said}), which the overlay cannot compute"
        )
    if each_token > experts:
        problems.append(f"config.json asks for {each_token} experts a token, of {experts} in all")
    for key, usual in _ONLY.items():
        value = config.get(key)
        if value is not None and value not in usual:
            problems.append(
                f"config.json: {key} is {as_json(value)}, which the overlay cannot compute; "
                f"in every Ling model it is {as_json(usual[0])}"
            )
    if config.get("quantization_config") or config.get("quantize"):
        problems.append("config.json is of quantised weights, which the overlay cannot compute")
    return problems


def as_json(value: object) -> str:
    """A value of config.json as it is written there."""
    return shown(json.dumps(value))
