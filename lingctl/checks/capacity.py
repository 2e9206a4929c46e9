"""Whether the model fits the cards that were seen."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.unread import Unread
from lingctl.engines import engine_of
from lingctl.findings import Finding, Verdict
from lingctl.inventory.catalogue import Shape
from lingctl.inventory.cluster import Cluster


def check_capacity(
    cluster: Cluster, facts: Mapping[str, NodeFacts], shape: Shape | None = None
) -> list[Finding]:
    """One verdict on the cluster, or an unknown for each card whose memory was not read.

    Args:
        cluster: model, cards and serving limits.
        facts: what the nodes said, by name.
        shape: of the downloaded config.json, if known (``inventory.model_config.shape_of``).
    """
    return capacity_findings(cluster, {name: card_memory(node) for name, node in facts.items()}, shape)


def capacity_findings(
    cluster: Cluster, memory_mb: Mapping[str, Mapping[int, int]], shape: Shape | None = None
) -> list[Finding]:
    """Whether a cluster's model fits its cards: one finding, or one for each card whose memory is not known.

    Args:
        cluster: model, cards and serving limits.
        memory_mb: memory that npu-smi shows for each card, in MB, by node and physical id.
        shape: from the downloaded config.json, if known; else the catalogue's.
    """
    unknown = [
        Finding("capacity", Verdict.UNKNOWN, "the card's memory is not known", node.name, device)
        for node in cluster.nodes
        for device in node.devices
        if not memory_mb.get(node.name, {}).get(device)
    ]
    if unknown:
        return unknown
    model = cluster.catalogue_model
    least = min(memory_mb[node.name][device] for node in cluster.nodes for device in node.devices)
    capacity, shape = engine_of(cluster).capacity, shape or model.shape
    load = capacity.load_of(cluster)
    found = capacity.estimate(shape, model.context, cluster.world_size, least / 1024, load)
    return [capacity.judge(shape, found, load)]


def card_memory(facts: NodeFacts) -> dict[int, int]:
    """Memory in MB by physical id, of the cards that npu-smi told."""
    if isinstance(facts.npus, Unread):
        return {}
    return {chip.card: chip.hbm_total_mb for chip in facts.npus.chips if chip.hbm_total_mb}
