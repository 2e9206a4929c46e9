"""The words that start vLLM on one node. It reads no file of ours but the certificates.

Sources: vLLM's engine arguments (0.32.0 read and run; the same names in the documents of 0.12 and later),
vllm-ascend docs pipeline_parallel.md, ray.md and the multi-node recipes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lingctl.engine.scripts import Interface, Start
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.places import weights_in_container
from lingctl.inventory.sections import Node
from lingctl.vllm.files.model_config import shape_for
from lingctl.vllm.launch.environment import INTERFACE_VARIABLES
from lingctl.vllm.launch.parallel import Cut, need_cut
from lingctl.vllm.launch.tls import https_words
from lingctl.vllm.long_context import stretch_of, stretch_words
from lingctl.vllm.profile import VllmProfile
from lingctl.vllm.refusals import need_equals
from lingctl.vllm.settings import need_settings

# A folder that every image has; in /vllm-workspace Python would take the sources for the package.
_DIRECTORY = "/root"
_PROGRAM = ("vllm", "serve")


def vllm_start(
    cluster: Cluster,
    node: Node,
    weights: str,
    model_config: Mapping[str, Any] | None,
    profile: VllmProfile,
) -> Start:
    """How the daemon is started.

    Raises:
        ConfigurationError: hosts.yaml asks for what vLLM has no equal of, or the model cannot be cut so.
    """
    need_equals(cluster)
    cut = need_cut(cluster, shape_for(cluster, model_config), profile)
    if cluster.engine.distributed == "ray" and node != cluster.primary:
        # The site's Ray runs the workers here; what is started keeps this node's place alone.
        return Start(_DIRECTORY, ("sleep", "infinity"))
    words = (
        *_PROGRAM,
        weights_in_container(cluster, weights),
        *_service(cluster, node),
        *_model(cluster, model_config),
        *stretch_words(stretch_of(cluster, model_config), profile),
        *_cards(cluster, node, cut),
    )
    interface = Interface(node.service_address, INTERFACE_VARIABLES) if cluster.multi_node else None
    # No ports to wait for: it binds them although connections of the last run linger.
    return Start(_DIRECTORY, words, interface=interface)


def vllm_offline(
    cluster: Cluster, weights: str, model_config: Mapping[str, Any] | None, profile: VllmProfile
) -> tuple[str, ...]:
    """The engine's own arguments, as ``vllm serve`` would get them, for a batch without a service.

    Raises:
        ConfigurationError: as ``vllm_start``.
    """
    need_equals(cluster)
    cut = need_cut(cluster, shape_for(cluster, model_config), profile)
    return (
        *("--model", weights_in_container(cluster, weights)),
        *_model(cluster, model_config),
        *stretch_words(stretch_of(cluster, model_config), profile),
        *_cards(cluster, cluster.primary, cut),
    )


def _service(cluster: Cluster, node: Node) -> Iterator[str]:
    if node != cluster.primary:
        return
    yield from ("--host", node.service_address, "--port", str(cluster.serving.port))
    yield from https_words(cluster)


def _model(cluster: Cluster, model_config: Mapping[str, Any] | None) -> Iterator[str]:
    settings = need_settings(cluster, model_config)
    yield from ("--served-model-name", cluster.serving.served_name)
    yield from ("--trust-remote-code", "--dtype", "bfloat16")
    for name, flag in (
        ("max_seq_len", "--max-model-len"),
        ("max_batch_size", "--max-num-seqs"),
        ("max_prefill_tokens", "--max-num-batched-tokens"),
        ("npu_memory_fraction", "--gpu-memory-utilization"),
    ):
        yield from (flag, f"{settings[name].value:g}" if "memory" in name else str(int(settings[name].value)))
    if cluster.serving.max_output_tokens is not None:
        # A limit for every request, whatever max_tokens it asks for.
        most = json.dumps({"max_new_tokens": cluster.serving.max_output_tokens}, separators=(",", ":"))
        yield from ("--override-generation-config", most)
    if cluster.engine.eager:
        yield "--enforce-eager"


def _cards(cluster: Cluster, node: Node, cut: Cut) -> Iterator[str]:
    """How the model is cut, and how the nodes find each other."""
    yield from ("--tensor-parallel-size", str(cut.tensor))
    if cut.pipeline > 1:
        yield from ("--pipeline-parallel-size", str(cut.pipeline))
    if cut.data > 1:
        yield from ("--enable-expert-parallel", "--data-parallel-size", str(cut.data))
    if not cluster.multi_node:
        return
    rank, first = cluster.nodes.index(node), cluster.primary.service_address
    port = str(cluster.serving.inter_node_port)
    if cut.data > 1:
        copies = cut.data // len(cluster.nodes)
        yield from ("--data-parallel-size-local", str(copies))
        yield from ("--data-parallel-address", first, "--data-parallel-rpc-port", port)
        if rank:
            yield from ("--headless", "--data-parallel-start-rank", str(rank * copies))
        return
    if cluster.engine.distributed == "ray":
        yield from ("--distributed-executor-backend", "ray")
        return
    yield from ("--distributed-executor-backend", "mp", "--nnodes", str(len(cluster.nodes)))
    yield from ("--node-rank", str(rank), "--master-addr", first, "--master-port", port)
    if rank:
        yield "--headless"
