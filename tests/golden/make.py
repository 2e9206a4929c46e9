"""What deploy sends, for the models and versions that matter: every golden text.

``python -m tests.golden.make`` records them anew after a change that is meant; read what changed before
committing it. Whole are the oldest MindIE, the last before 3.0.0, and 3.0.0, with the small and the large
model.
"""

from __future__ import annotations

import json

from lingctl.flows.files.inputs import Known
from lingctl.flows.files.render import rendered
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import PROFILES, Profile
from tests.golden.recorded import record
from tests.unit.vllm.samples import LITE_CONFIG, PLUS_CONFIG

WHOLE = {
    f"{version}/{model}"
    for version in ("1.0.0", "2.3.0", "3.0.0", "vllm-0.23.0")
    for model in ("Ling-lite", "Ling-plus")
}
MODELS = {"Ling-lite": 1, "Ling-lite-base": 1, "Ling-lite-1.5": 1, "Ling-plus": 2, "Ling-plus-base": 2}
# What the published config.json of each holds that a render may change; the rest passes through.
_COMMON = {
    "architectures": ["BailingMoeForCausalLM"],
    "model_type": "bailing_moe",
    "num_experts": 64,
    "rope_theta": 600000,
    "rope_scaling": None,
    "vocab_size": 126464,
}
_LITE = {"hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 4, "num_hidden_layers": 28}
_PLUS = {"hidden_size": 5376, "num_attention_heads": 56, "num_key_value_heads": 8, "num_hidden_layers": 88}
CONFIGS: dict[str, dict[str, object]] = {
    "Ling-lite": _COMMON | _LITE | {"num_shared_experts": 2, "norm_head": True},
    "Ling-lite-base": _COMMON | _LITE | {"num_shared_experts": 2, "norm_head": True, "head_dim": 0},
    "Ling-lite-1.5": _COMMON | _LITE | {"num_shared_experts": 2, "norm_head": False},
    "Ling-plus": _COMMON | _PLUS | {"num_shared_experts": 1, "norm_head": True},
    "Ling-plus-base": {k: v for k, v in (_COMMON | _PLUS).items() if k != "num_experts"}
    | {"n_routed_experts": 64, "n_shared_experts": 1, "norm_head": True},
}


# What vLLM is asked for, by the folder of its texts: versions, machines, and ways over several nodes.
VLLM: dict[str, dict[str, object]] = {
    "vllm-0.11.0-ray": {"version": "0.11.0", "distributed": "ray"},
    "vllm-0.13.0": {"version": "0.13.0"},
    "vllm-0.23.0": {"version": "0.23.0"},
    "vllm-0.23.0-openeuler": {"version": "0.23.0", "system": "openeuler"},
    "vllm-0.23.0-a3": {"version": "0.23.0", "hardware": "a3"},
    "vllm-0.23.0-a3-openeuler": {"version": "0.23.0", "hardware": "a3", "system": "openeuler"},
    "vllm-0.23.0-data": {"version": "0.23.0", "parallel": "data"},
    "vllm-0.32.0": {"version": "0.32.0"},
}
# Ways over several nodes, which are for the large model.
LARGE_ALONE = ("vllm-0.11.0-ray", "vllm-0.23.0-data")


def golden_texts() -> dict[str, str]:
    """Every text as it is now, by version and model."""
    mindie = {
        f"{profile.version}/{model}": text_of(model, profile) for profile in PROFILES for model in MODELS
    }
    return mindie | {
        f"{name}/{model}": vllm_text(model, choice)
        for name, choice in VLLM.items()
        for model in ("Ling-lite", "Ling-plus")
        if model == "Ling-plus" or name not in LARGE_ALONE
    }


def vllm_text(model: str, choice: dict[str, object]) -> str:
    """As ``text_of``: a model whose head is folded, and whose config.json does not state the heads' width."""
    nodes = [{"address": f"10.0.0.{n}", "name": f"node{n}"} for n in range(1, MODELS[model] + 1)]
    if choice["version"] == "0.32.0":
        # It is for processors, where nodes have one each and pipelines fail.
        nodes = [{**node, "devices": [0]} for node in nodes]
        choice = choice | ({"parallel": "tensor"} if len(nodes) > 1 else {})
    data = {"name": "ling", "model": model, "engine": {"name": "vllm", **choice}, "nodes": nodes}
    config = (LITE_CONFIG if model == "Ling-lite" else PLUS_CONFIG) | {"norm_head": False}
    del config["head_dim"]
    return _text(Cluster.model_validate_json(json.dumps(data)), config)


def text_of(model: str, profile: Profile) -> str:
    """All files of all nodes, one after the other, each under its node, path and mode."""
    return _text(cluster_of(model, profile.version), CONFIGS[model])


def _text(cluster: Cluster, config: dict[str, object]) -> str:
    known = Known(cluster.downloaded_weights, _addresses(cluster), config)
    parts = [
        f"==> {file.node}: {file.path or file.name} ({file.mode:04o}) <==\n{file.content.decode()}"
        for file in rendered(cluster, "all", known)
    ]
    return "\n".join(parts)


def cluster_of(model: str, version: str) -> Cluster:
    """The smallest usual cluster of a model."""
    nodes = [{"address": f"10.0.0.{n}", "name": f"node{n}"} for n in range(1, MODELS[model] + 1)]
    data = {"name": "ling", "model": model, "mindie": version, "nodes": nodes}
    return Cluster.model_validate_json(json.dumps(data))


def _addresses(cluster: Cluster) -> dict[str, dict[int, str]]:
    return {
        node.name: {device: f"192.168.{10 + index}.{100 + device}" for device in node.devices}
        for index, node in enumerate(cluster.nodes)
    }


if __name__ == "__main__":
    record(golden_texts(), WHOLE)
