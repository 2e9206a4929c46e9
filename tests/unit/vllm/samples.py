"""Clusters that vLLM serves, as hosts.yaml describes them."""

from __future__ import annotations

import json
from typing import Any

from lingctl.inventory.cluster import Cluster
from lingctl.release.wanted import script_files

LITE_CONFIG: dict[str, Any] = {
    "architectures": ["BailingMoeForCausalLM"],
    "model_type": "bailing_moe",
    "hidden_size": 2048,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 64,
    "num_experts_per_tok": 6,
    "num_shared_experts": 2,
    "moe_intermediate_size": 1408,
    "vocab_size": 126464,
    "max_position_embeddings": 16384,
    "rope_theta": 600000,
    "norm_topk_prob": True,
    "norm_head": True,
    "torch_dtype": "bfloat16",
}
PLUS_CONFIG: dict[str, Any] = LITE_CONFIG | {
    "hidden_size": 5376,
    "num_hidden_layers": 88,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "num_experts_per_tok": 4,
    "num_shared_experts": 1,
    "moe_intermediate_size": 3072,
}


def vllm_cluster(model: str = "Ling-lite", nodes: int = 1, engine: object = "vllm", **more: Any) -> Cluster:
    """A cluster of 8-card nodes; ``more`` are further keys of hosts.yaml."""
    listed = more.pop(
        "node_list", [{"address": f"10.0.0.{n}", "name": f"node{n}"} for n in range(1, nodes + 1)]
    )
    data = {"name": "demo", "model": model, "engine": engine, "nodes": listed, **more}
    return Cluster.model_validate_json(json.dumps(data))


def start_line(cluster: Cluster, number: int = 0, config: dict[str, Any] | None = None) -> str:
    """The line of a node's start.sh that starts vLLM."""
    files = script_files(cluster, cluster.nodes[number], "/root/models/Ling_lite", config)
    text = files[1].content.decode()
    return next(line for line in text.splitlines() if line.startswith(("vllm ", "sleep "))).removesuffix(" &")
